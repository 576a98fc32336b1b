//! What a vendor leaves undocumented and an operator has to say: `[settings]` in `scimspec.toml`, `${setting.NAME}` in
//! suites.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Profile;
use crate::outcome::SkipReason;
use crate::suite::load::{Library, SuiteFile};
use crate::suite::model::Case;
use crate::suite::nearest::suggestion;

/// A value that the operator gives, or confirms.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Setting {
    /// What it is, in plain words: `where the hire date stands`.
    pub title: String,
    /// The value where the operator says nothing; with `confirm`, what is likely.
    #[serde(default)]
    #[schemars(schema_with = "any_value")]
    pub default: Option<Value>,
    /// Whether the operator has to say it even where there is a default.
    #[serde(default)]
    pub confirm: bool,
}

fn any_value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "number", "boolean"]})
}

/// The settings of one run: those that have a value, and those that somebody still has to give.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Confirmed {
    /// What `${setting.NAME}` stands for.
    pub values: Map<String, Value>,
    /// Of each setting without a value, what is missing and where to say it.
    pub missing: BTreeMap<String, String>,
}

impl Confirmed {
    /// Why a case cannot run: the first setting that it refers to and that nobody has given.
    pub fn lacked_by(&self, file: &SuiteFile, case: &Case) -> Option<SkipReason> {
        let names = file.settings_of(case);
        let missing = names.into_iter().find(|name| !self.values.contains_key(*name))?;
        let what = match self.missing.get(missing) {
            Some(what) => what.clone(),
            None => format!("{missing}, which is no setting of this profile"),
        };
        Some(SkipReason::NotConfigured { what })
    }
}

/// A setting of the operator's that no profile has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no profile has a setting `{name}`{}", .hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
pub struct UnknownSetting {
    /// Its name below `[settings]`.
    pub name: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

impl Profile {
    /// The settings of this profile with the operator's values. Settings of other profiles are left alone: one
    /// `scimspec.toml` may serve several.
    ///
    /// # Errors
    /// The first of the operator's that no profile of the library knows.
    pub fn confirm(
        &self,
        library: &Library,
        operators: &Map<String, Value>,
    ) -> Result<Confirmed, UnknownSetting> {
        let profiles = || library.profiles().values().chain([self]);
        let known = |name: &String| profiles().any(|profile| profile.settings.contains_key(name));
        if let Some(name) = operators.keys().find(|name| !known(name)) {
            let all = profiles().flat_map(|profile| profile.settings.keys()).map(String::as_str);
            // Those of this profile alone, where it has any: the others are hardly meant.
            let own: Vec<&str> = self.settings.keys().map(String::as_str).collect();
            let hint = if own.is_empty() { suggestion(name, all) } else { suggestion(name, own) };
            return Err(UnknownSetting { name: name.clone(), hint });
        }
        Ok(confirmed(&self.settings, operators))
    }
}

fn confirmed(settings: &IndexMap<String, Setting>, operators: &Map<String, Value>) -> Confirmed {
    let mut confirmed = Confirmed::default();
    for (name, setting) in settings {
        let default = setting.default.as_ref();
        match operators.get(name).or(default.filter(|_| !setting.confirm)) {
            Some(value) => {
                confirmed.values.insert(name.clone(), value.clone());
            }
            None => {
                let example = match default {
                    Some(default) => format!(": write {name} = {default} if that is right"),
                    None => String::new(),
                };
                let what = format!("{name} ({}) under [settings] in scimspec.toml{example}", setting.title);
                confirmed.missing.insert(name.clone(), what);
            }
        }
    }
    confirmed
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn profile() -> Profile {
        let text = "profile: p\ntitle: t\nsuites: []\nsettings:\n  hire-date: {title: the hire date, default: hireDate, confirm: true}\n  \
                    zone: {title: the zone, default: timezone}\n  team: {title: the team}\n";
        Profile::read("p.yaml", text).unwrap()
    }

    fn operators(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_has_to_be_confirmed_is_missing_until_it_is() {
        let library = Library::default();
        let none = profile().confirm(&library, &Map::new()).unwrap();
        assert_eq!(Value::Object(none.values), json!({"zone": "timezone"}));
        assert_eq!(
            none.missing["hire-date"],
            "hire-date (the hire date) under [settings] in scimspec.toml: write hire-date = \"hireDate\" if that is right"
        );
        assert_eq!(none.missing["team"], "team (the team) under [settings] in scimspec.toml");
        let some =
            profile().confirm(&library, &operators(json!({"hire-date": "startDate", "zone": "tz"}))).unwrap();
        assert_eq!(Value::Object(some.values), json!({"hire-date": "startDate", "zone": "tz"}));
        assert_eq!(some.missing.keys().collect::<Vec<_>>(), ["team"]);
    }

    #[test]
    fn a_setting_that_no_profile_has_is_refused_with_the_nearest() {
        let error = profile().confirm(&Library::default(), &operators(json!({"hire-dat": "x"}))).unwrap_err();
        assert_eq!(error.to_string(), "no profile has a setting `hire-dat`; did you mean `hire-date`?");
    }
}
