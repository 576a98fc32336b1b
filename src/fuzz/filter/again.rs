//! What earlier runs have found, tried before anything else: on the resources that were saved with it, which are made along
//! with the others.

use serde_json::Value;

use super::Property;
use super::ask::Way;
use super::hunt::Hunt;
use super::relation::Relation;
use super::saved::{OTHER, SavedCase, is_other};
use crate::fuzz::cause::Feature;
use crate::fuzz::dataset::DataSet;
use crate::fuzz::strategy::data::MARK;
use crate::fuzz::strategy::literal::other_case;
use crate::scim::filter::{CompareOperator, Filter, FilterValue};
use crate::scim::resource::get;
use crate::suite::template::{Escape, Scope};

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
            let against = case.against.as_ref().map(|it| Some((put_in(case, set, &it.filter)?, it.way)));
            let was_tried = match (text, against) {
                (Some(text), None) => self.saved_filter(field, text).await,
                (Some(second), Some(Some((first, way)))) => {
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
        [
            Filter::Compare { path, operator: CompareOperator::Equal, value: FilterValue::String(id) },
            rest,
        ] if path.to_string().eq_ignore_ascii_case("id") => Some((id.clone(), rest.clone())),
        _ => None,
    }
}

/// A text of a saved case with what stands in it for the resources of this run; none where one of these is not there.
fn put_in(case: &SavedCase, set: &DataSet, text: &str) -> Option<String> {
    let mut scope = Scope::new();
    for (handle, resource) in &case.resources {
        let Some(row) = set.rows.iter().find(|row| row.sent == *resource) else { continue };
        scope.insert_handle(handle, &row.state);
        if let (true, Some(name)) = (is_other(resource), get(&row.state, "userName").and_then(Value::as_str))
        {
            scope.insert(OTHER, other_case(name).into());
        }
    }
    scope.text(&text.replace(MARK, &set.word), Escape::JsonString).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::saved::other_name;
    use super::*;
    use crate::fuzz::dataset::Row;
    use crate::scim::schema::SchemaSet;

    #[test]
    fn what_stands_for_a_resource_is_put_in() {
        let sent = json!({"userName": other_name(), "title": "x"});
        let state =
            json!({"id": "a\"1", "userName": "s0mark-a", "meta": {"created": "2026-01-01T00:00:00Z"}});
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
        assert_eq!(of("id ne \"1\" and (title pr)"), None);
        assert_eq!(of("title pr"), None);
    }
}
