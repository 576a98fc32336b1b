//! What is no filter, and has to be refused.

use futures_util::future::join_all;

use super::ask::{Asked, Way, ask};
use super::hunt::Hunt;
use super::terms::Term;
use super::verdict::{Judge, Verdict};
use super::{Counterexample, Property};
use crate::fuzz::cause::{Feature, Features};
use crate::fuzz::strategy::invalid::{Slip, slips};
use crate::scim::path::AttributePath;
use crate::scim::schema::AttributeType;

impl Hunt<'_> {
    /// Texts that are no filter, with the slip in each and whether the keyword is demanded.
    pub(super) fn slips(&self) -> Vec<(Feature, String, bool)> {
        let field = &self.fields[0];
        let mut dice = self.dice("slips");
        let texts: Vec<&Term> = field
            .terms
            .iter()
            .filter(|it| it.attribute.kind == AttributeType::String && !it.held.is_empty())
            .collect();
        let mut all: Vec<(Feature, String, bool)> = Vec::new();
        let Some(first) = texts.first() else { return all };
        for slip in Slip::ALL {
            let text = slip.make(&first.path.to_string(), "eq", "ann");
            all.push((Feature::Slip(slip.words()), text, slip == Slip::UnknownOperator));
        }
        // Order on what has none SHALL be refused (RFC 7644 Table 3).
        let boolean = field.terms.iter().find(|it| it.attribute.kind == AttributeType::Boolean);
        for (at, operator) in ["gt", "le"].iter().enumerate() {
            if let Some(term) = boolean {
                all.insert(
                    2 + at,
                    (Feature::Slip("order on a boolean"), format!("{} {operator} true", term.path), true),
                );
            }
        }
        let binary = field.set.definition.top_attributes().find_map(|attribute| {
            let path = AttributePath::of(&attribute.name);
            let sub = attribute.sub_attributes.iter().find(|sub| sub.kind == AttributeType::Binary);
            match sub {
                Some(sub) => Some(path.with_sub(&sub.name)),
                None => (attribute.kind == AttributeType::Binary).then_some(path),
            }
        });
        if let Some(path) = binary {
            let at = all.len().min(4);
            all.insert(at, (Feature::Slip("order on a binary value"), format!("{path} gt \"MII\""), true));
        }
        let paths: Vec<String> = texts.iter().take(8).map(|it| it.path.to_string()).collect();
        let strategy = slips(paths, vec!["ann".to_owned(), "Beta Gamma".to_owned(), "x".to_owned()]);
        for _ in 0..4 {
            if let Some((slip, text)) = dice.draw(&strategy) {
                all.push((Feature::Slip(slip.words()), text, slip == Slip::UnknownOperator));
            }
        }
        all
    }

    pub(super) async fn try_slips(&mut self, slips: Vec<(Feature, String, bool)>) {
        for some in slips.chunks(self.in_flight()) {
            if !self.goes_on() {
                return;
            }
            self.tell("trying what is no filter");
            let texts: Vec<String> = some.iter().map(|(_, text, _)| text.clone()).collect();
            let endpoint = self.fields[0].set.endpoint.clone();
            // What narrows a filter would mend some slips.
            let asked = join_all(
                texts
                    .iter()
                    .map(|text| ask(self.fuzz.target, &endpoint, text, Way::Get, "ask what is no filter")),
            )
            .await;
            for ((slip, text, demands), asked) in some.iter().zip(asked) {
                self.heed(&asked);
                let features = Features::from([slip.clone()]);
                let field = &self.fields[0];
                let judge = Judge { data: &field.set, worlds: &field.worlds, is_narrowed: false };
                let verdict = judge.judge_slip(&asked, *demands);
                if matches!(verdict, Verdict::Nothing(_)) {
                    continue;
                }
                self.tally.judge(Property::Slips);
                if verdict == Verdict::Right || self.is_explained(&features) {
                    continue;
                }
                self.slipped(text, features, *demands, verdict, asked).await;
            }
        }
    }

    /// A text that is no filter, and was not refused as it should be: asked once more, and put to its cause.
    async fn slipped(
        &mut self,
        text: &str,
        features: Features,
        demands: bool,
        verdict: Verdict,
        asked: Asked,
    ) {
        let now = self.fuzz.target.requests_made();
        let field = &self.fields[0];
        let endpoint = field.set.endpoint.clone();
        let mut again = None;
        if self.fuzz.target.can_spare(2) {
            let asked = ask(self.fuzz.target, &endpoint, text, Way::Get, "ask once more").await;
            let field = &self.fields[0];
            let judge = Judge { data: &field.set, worlds: &field.worlds, is_narrowed: false };
            again = match judge.judge_slip(&asked, demands) {
                Verdict::Nothing(_) => None,
                verdict => Some(verdict.is_bad()),
            };
        }
        // All that is answered alike has one cause: that what is no filter is taken for one.
        let alike = match &verdict {
            Verdict::Served { rows: 0 } => "an empty list for what is no filter",
            Verdict::Served { .. } => "rows for what is no filter",
            Verdict::Miscalled { status: 400, .. } => "another keyword than invalidFilter",
            Verdict::Miscalled { .. } => "another status than 400",
            _ => "a broken answer to what is no filter",
        };
        let mut features = features;
        features.insert(Feature::Literal(alike));
        let counterexample = Counterexample {
            property: Property::Slips,
            endpoint,
            seen: text.to_owned(),
            filter: text.to_owned(),
            against: None,
            verdict,
            rows: Vec::new(),
            exchange: asked.exchange,
            features,
            again,
            data: None,
            sighted_at: now,
            minimal_at: now,
            shrinking: 0,
            terms: 1,
        };
        self.put_to_cause(0, counterexample, None).await;
    }
}
