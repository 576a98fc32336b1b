//! What earlier runs have found, tried before anything else: on the resources that were saved with it, which are made along
//! with the others.

use serde_json::Value;

use super::Property;
use super::ask::Way;
use super::hunt::Hunt;
use super::relation::Relation;
use super::saved::{OTHER, SavedCase};
use crate::fuzz::cause::Feature;
use crate::fuzz::dataset::{DataSet, Row};
use crate::fuzz::strategy::data::MARK;
use crate::fuzz::strategy::literal::other_case;
use crate::scim::filter::{Filter, FilterValue};

impl Hunt<'_> {
    /// What earlier runs have found.
    pub(super) async fn saved_ones(&mut self) {
        for case in self.fuzz.saved {
            let Some(field) = self.fields.iter().position(|field| field.set.endpoint == case.endpoint) else {
                self.notes.push(format!("{}: there is no {} to try it at", case.name, case.endpoint));
                continue;
            };
            if !self.goes_on() {
                return;
            }
            let before = self.sightings();
            let set = &self.fields[field].set;
            let text = put_in(case, set, &case.filter);
            let against = case.against.as_ref().map(|against| put_in(case, set, &against.filter));
            let was_tried = match (text, against) {
                (Some(text), None) => self.saved_filter(field, text).await,
                (Some(second), Some(Some(first))) => {
                    let way = case.against.as_ref().map_or(Way::Get, |against| against.way);
                    self.saved_relation(field, [first, second], way).await
                }
                (None, _) | (_, Some(None)) => {
                    self.notes.push(format!("{}: the resources that it needs could not be made", case.name));
                    continue;
                }
            };
            if was_tried && before == self.sightings() {
                self.mended.push(case.name.clone());
            }
        }
    }

    fn sightings(&self) -> usize {
        self.causes.all().iter().map(|cause| cause.sightings.len()).sum()
    }

    /// Tries a filter, or what is none. `false` where what was found since explains it.
    async fn saved_filter(&mut self, field: usize, text: String) -> bool {
        match self.trial(field, &text) {
            Some(trial) if self.is_explained(&trial.features) => return false,
            Some(_) => self.try_alone(field, Property::Saved, vec![text], "trying what was saved").await,
            None => self.try_slips(vec![(Feature::Slip("what was saved"), text, false)]).await,
        }
        true
    }

    /// Holds two answers against each other.
    async fn saved_relation(&mut self, field: usize, texts: [String; 2], way: Way) -> bool {
        let parsed = [&texts[0], &texts[1]].map(|text| Filter::parse(text));
        let [Ok(first), Ok(second)] = parsed else { return false };
        // Where nobody knows what is right, they are about one resource each.
        let (about, first, second) = match (about_one(&first), about_one(&second)) {
            (Some((id, first)), Some((same, second))) if id == same => (Some(id), first, second),
            _ => (None, first, second),
        };
        let Some(relation) = Relation::between(&first, &second, way) else { return false };
        self.hold(field, Property::Saved, relation, texts, about.as_deref()).await
    }
}

/// The id of the only resource that a filter can find, and what more it says.
fn about_one(filter: &Filter) -> Option<(String, Filter)> {
    let Filter::And(parts) = filter else { return None };
    match parts.as_slice() {
        [Filter::Compare { path, value: FilterValue::String(id), .. }, rest]
            if path.to_string().eq_ignore_ascii_case("id") =>
        {
            Some((id.clone(), rest.clone()))
        }
        _ => None,
    }
}

/// A text of a saved case with what stands in it for the resources of this run; none where one of these is not there.
fn put_in(case: &SavedCase, set: &DataSet, text: &str) -> Option<String> {
    let mut text = text.replace(MARK, &set.word);
    for (handle, resource) in &case.resources {
        let beginning = format!("${{{handle}.");
        let row = set.rows.iter().find(|row| row.sent == *resource);
        while let Some(from) = text.find(&beginning) {
            let length = text[from..].find('}')?;
            let value = value_of(row?, &text[from + beginning.len()..from + length])?;
            text.replace_range(from..=from + length, &literal(&value));
        }
        if let Some(name) = row.and_then(|row| row.state.get("userName")?.as_str()) {
            text = text.replace(OTHER, &literal(&other_case(name)));
        }
    }
    (!text.contains("${")).then_some(text)
}

/// What a resource shows at `id`, or at `meta.created`.
fn value_of(row: &Row, path: &str) -> Option<String> {
    if path == "id" {
        return Some(row.id.clone());
    }
    let pointer = format!("/{}", path.replace('.', "/"));
    row.state.pointer(&pointer)?.as_str().map(str::to_owned)
}

/// A text as it stands between the quotes of a literal.
fn literal(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::schema::SchemaSet;

    #[test]
    fn what_stands_for_a_resource_is_put_in() {
        let sent = json!({"userName": format!("{MARK}-a"), "title": "x"});
        let state = json!({"userName": "s0mark-a", "meta": {"created": "2026-01-01T00:00:00Z"}});
        let row = Row { id: "a\"1".to_owned(), state, sent: sent.clone(), slice: 0 };
        let set = DataSet {
            definition: SchemaSet::core().definition("User").unwrap(),
            endpoint: "/Users".to_owned(),
            rows: vec![row],
            word: "s0mark".to_owned(),
        };
        let mut case = SavedCase {
            name: "saved".to_owned(),
            endpoint: "/Users".to_owned(),
            resources: vec![("r1".to_owned(), sent)],
            filter: String::new(),
            against: None,
        };
        let of = |case: &SavedCase, text: &str| put_in(case, &set, text);
        assert_eq!(
            of(&case, "id eq \"${r1.id}\" and not (id eq \"${r1.id}\")").as_deref(),
            Some("id eq \"a\\\"1\" and not (id eq \"a\\\"1\")")
        );
        assert_eq!(
            of(&case, "meta.created eq \"${r1.meta.created}\"").as_deref(),
            Some("meta.created eq \"2026-01-01T00:00:00Z\"")
        );
        assert_eq!(of(&case, "userName eq \"${other}\"").as_deref(), Some("userName eq \"S0MARK-A\""));
        assert_eq!(of(&case, &format!("title eq \"{MARK}\"")).as_deref(), Some("title eq \"s0mark\""));
        for unknown in
            ["id eq \"${r2.id}\"", "id eq \"${r1.meta.version}\"", "id eq \"${r1.", "id eq \"${x}\""]
        {
            assert_eq!(of(&case, unknown), None, "{unknown}");
        }
        // The resource was not made.
        case.resources[0].1["title"] = "y".into();
        assert_eq!(of(&case, "id eq \"${r1.id}\""), None);
    }

    #[test]
    fn a_filter_about_one_resource_is_taken_apart() {
        let of =
            |text: &str| about_one(&Filter::parse(text).unwrap()).map(|(id, rest)| (id, rest.to_string()));
        let told = |id: &str, rest: &str| Some((id.to_owned(), rest.to_owned()));
        assert_eq!(of("id eq \"1\" and (title pr)"), told("1", "title pr"));
        assert_eq!(of("id eq \"1\" and (not (title pr))"), told("1", "not (title pr)"));
        assert_eq!(of("title pr and id eq \"1\""), None);
        assert_eq!(of("title pr"), None);
    }
}
