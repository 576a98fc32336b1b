//! `--seed-users N`: a directory of people to develop against. The same number gives the same people, with the same
//! ids, on every machine: all that is drawn is drawn from a generator with a fixed seed. Nobody in it exists: addresses
//! are in example.com (RFC 2606), telephone numbers in the block reserved for fiction.
//!
//! About 20 people make a team, about 30 teams a department; teams and departments are groups, and a department's
//! members are its teams. Five of six people have the enterprise extension, with the head of their team as manager.

use serde_json::{Map, Value, json};
use uuid::{Builder, Uuid};

use super::kind::Kind;
use super::store::Store;
use crate::scim::names;

/// How many people make a team.
const TEAM: usize = 20;

/// How many teams make a department.
const DEPARTMENT: usize = 30;

/// Given names, each as it is written and as it stands in an address.
const GIVEN: [(&str, &str); 32] = [
    ("Amara", "amara"),
    ("Anna", "anna"),
    ("Björn", "bjoern"),
    ("Carlos", "carlos"),
    ("Chloé", "chloe"),
    ("Daniel", "daniel"),
    ("Eleni", "eleni"),
    ("Emeka", "emeka"),
    ("Fatima", "fatima"),
    ("Grace", "grace"),
    ("Hiroshi", "hiroshi"),
    ("Ingrid", "ingrid"),
    ("Ioana", "ioana"),
    ("Jakub", "jakub"),
    ("José", "jose"),
    ("Kwame", "kwame"),
    ("Layla", "layla"),
    ("Lucía", "lucia"),
    ("Łukasz", "lukasz"),
    ("Maria", "maria"),
    ("Mei", "mei"),
    ("Nadia", "nadia"),
    ("Noah", "noah"),
    ("Olga", "olga"),
    ("Priya", "priya"),
    ("Ravi", "ravi"),
    ("Sean", "sean"),
    ("Sofia", "sofia"),
    ("Tomáš", "tomas"),
    ("Ursula", "ursula"),
    ("Yusuf", "yusuf"),
    ("Zoë", "zoe"),
];

/// Family names, as [`GIVEN`].
const FAMILY: [(&str, &str); 32] = [
    ("Abara", "abara"),
    ("Andersson", "andersson"),
    ("Bauer", "bauer"),
    ("Castillo", "castillo"),
    ("Chen", "chen"),
    ("Costa", "costa"),
    ("Dubois", "dubois"),
    ("Eriksen", "eriksen"),
    ("Fischer", "fischer"),
    ("García", "garcia"),
    ("Haddad", "haddad"),
    ("Ivanova", "ivanova"),
    ("Jensen", "jensen"),
    ("Kowalski", "kowalski"),
    ("Kumar", "kumar"),
    ("Laurent", "laurent"),
    ("Meier", "meier"),
    ("Mensah", "mensah"),
    ("Moreau", "moreau"),
    ("Nakamura", "nakamura"),
    ("Novák", "novak"),
    ("O'Brien", "obrien"),
    ("Okafor", "okafor"),
    ("Papadopoulos", "papadopoulos"),
    ("Patel", "patel"),
    ("Rossi", "rossi"),
    ("Şahin", "sahin"),
    ("Silva", "silva"),
    ("Smith", "smith"),
    ("Tanaka", "tanaka"),
    ("van Dijk", "vandijk"),
    ("Weber", "weber"),
];

const TITLES: [&str; 8] =
    ["Accountant", "Analyst", "Designer", "Engineer", "Nurse", "Recruiter", "Technician", "Writer"];

const DEPARTMENTS: [&str; 8] =
    ["Engineering", "Finance", "Legal", "Marketing", "Operations", "People", "Sales", "Support"];

/// Language, locale and time zone.
const PLACES: [(&str, &str, &str); 6] = [
    ("en-GB", "en-GB", "Europe/London"),
    ("de-DE", "de-DE", "Europe/Berlin"),
    ("pl-PL", "pl-PL", "Europe/Warsaw"),
    ("en-US", "en-US", "America/New_York"),
    ("pt-BR", "pt-BR", "America/Sao_Paulo"),
    ("ja-JP", "ja-JP", "Asia/Tokyo"),
];

/// Puts that many people into a store, with their teams and departments.
pub(crate) fn seed(store: &mut Store, users: usize) {
    let mut random = Random(0x5343_494d_2032_2e30);
    let mut department = Vec::new();
    for (number, first) in (0..users).step_by(TEAM).enumerate() {
        let head = random.id();
        let mut members = Vec::new();
        for index in first..users.min(first + TEAM) {
            let id = if index == first { head.clone() } else { random.id() };
            let manager = (index != first).then_some(head.as_str());
            store.insert(id.clone(), Kind::User, user(index, number, manager, &mut random), None);
            members.push(id);
        }
        let team = random.id();
        store.insert(team.clone(), Kind::Group, group(&format!("Team {:04}", number + 1), &members), None);
        department.push(team);
        let is_last = first + TEAM >= users;
        if department.len() == DEPARTMENT || is_last {
            let name = format!("Department {:03}: {}", number / DEPARTMENT + 1, department_of(number));
            store.insert(random.id(), Kind::Group, group(&name, &department), None);
            department.clear();
        }
    }
}

fn department_of(team: usize) -> &'static str {
    DEPARTMENTS[team / DEPARTMENT % DEPARTMENTS.len()]
}

fn user(index: usize, team: usize, manager: Option<&str>, random: &mut Random) -> Map<String, Value> {
    let (given, given_ascii) = random.one_of(&GIVEN);
    let (family, family_ascii) = random.one_of(&FAMILY);
    let (language, locale, timezone) = random.one_of(&PLACES);
    let number = index + 1;
    let address = format!("{given_ascii}.{family_ascii}.{number}@example.com");
    let display = format!("{given} {family}");
    let has_enterprise = !number.is_multiple_of(6);
    let mut schemas = vec![names::USER];
    if has_enterprise {
        schemas.push(names::ENTERPRISE_USER);
    }
    let mut user = json!({
        "schemas": schemas,
        "externalId": format!("hr-{number:07}"),
        "userName": address,
        "name": { "formatted": display, "familyName": family, "givenName": given },
        "displayName": display,
        "title": random.one_of(&TITLES),
        "userType": if number.is_multiple_of(9) { "Contractor" } else { "Employee" },
        "preferredLanguage": language,
        "locale": locale,
        "timezone": timezone,
        "active": !number.is_multiple_of(25),
        "emails": [{ "value": address, "type": "work", "primary": true }],
        "phoneNumbers": [{ "value": format!("tel:+1-202-555-01{:02}", number % 100), "type": "work" }],
    });
    if has_enterprise {
        let mut enterprise = json!({
            "employeeNumber": format!("{number:07}"),
            "organization": "Example Ltd",
            "department": department_of(team),
            "costCenter": format!("CC-{:03}", team / DEPARTMENT + 1),
        });
        if let Some(manager) = manager {
            enterprise["manager"] = json!({ "value": manager });
        }
        user[names::ENTERPRISE_USER] = enterprise;
    }
    into_map(user)
}

fn group(name: &str, members: &[String]) -> Map<String, Value> {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    into_map(json!({ "schemas": [names::GROUP], "displayName": name, "members": members }))
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// SplitMix64: small, fast, and the same everywhere and for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        let count = choices.len() as u64;
        choices[usize::try_from(self.next() % count).unwrap_or_default()]
    }

    /// An id in the form that every other resource's id has.
    fn id(&mut self) -> String {
        let bytes = Uuid::from_u64_pair(self.next(), self.next()).into_bytes();
        Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::scim::schema::SchemaSet;
    use crate::scim::validate::ValidationPurpose;
    use crate::server::normalize::normalize;

    fn seeded(users: usize) -> Store {
        let mut store = Store::default();
        seed(&mut store, users);
        store
    }

    #[test]
    fn everybody_is_what_a_client_could_have_written() {
        let store = seeded(700);
        let mut unique = HashSet::new();
        for record in store.all() {
            let definition = SchemaSet::core().definition(record.kind.name()).unwrap();
            let kept = normalize(&record.attributes, &definition, ValidationPurpose::CreateRequest);
            assert_eq!(kept.as_ref(), Ok(&record.attributes));
            for name in ["userName", "externalId"] {
                assert!(record.text(name).is_none_or(|value| unique.insert(value.to_owned())));
            }
            assert!(record.member_ids().all(|id| store.get(id).is_some()));
            let manager = record.attributes.get(names::ENTERPRISE_USER).and_then(|it| it.get("manager"));
            assert!(manager.is_none_or(|it| store.get(it["value"].as_str().unwrap()).is_some()));
        }
        let count = |kind| store.all().filter(|record| record.kind == kind).count();
        // 35 teams and 2 departments.
        assert_eq!((count(Kind::User), count(Kind::Group)), (700, 37));
        let enterprise = store.all().filter(|it| it.attributes.contains_key(names::ENTERPRISE_USER));
        assert_eq!(enterprise.count(), 700 - 700 / 6);
    }

    #[test]
    fn the_same_number_gives_the_same_people() {
        let of = |users| -> Vec<_> {
            seeded(users).all().map(|record| (record.id.clone(), record.attributes.clone())).collect()
        };
        assert_eq!(of(45), of(45));
        assert_eq!(of(0), []);
        // The first ones are the same in a larger directory.
        assert_eq!(of(45)[..20], of(90)[..20]);
    }
}
