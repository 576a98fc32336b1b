//! JSON laid out for reading: what fits on a line stays on it, and of a long body only the part is shown that a
//! finding is about.

use serde_json::Value;

use super::text;

/// One line of laid-out JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its text, indented.
    pub text: String,
    /// The members that lead to it, outermost first.
    path: Vec<String>,
}

/// A part of a body that a finding is about: the last member's name, and those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    names: Vec<String>,
}

/// A line to show, or how many were left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown<'a> {
    /// A line, and whether a finding is about it.
    Line(&'a str, bool),
    /// So many lines were left out here.
    Gap(usize),
}

impl Focus {
    /// The focus that a path of a difference means: an attribute path such as `emails[type eq "work"].value` or
    /// `urn:…:User:department`, or a JSONPath such as `$.Resources[0].id`. `None` where it names no member.
    pub fn of(path: &str) -> Option<Focus> {
        let mut names = Vec::new();
        let mut name = String::new();
        let mut depth = 0_u32;
        let mut quoted = false;
        for c in path.chars() {
            match c {
                '"' | '\'' if depth > 0 => quoted = !quoted,
                '[' if !quoted => depth += 1,
                ']' if !quoted => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                // The URN of an extension ends at its last colon; a dot inside it, as in `2.0`, is followed by
                // a digit, which no attribute name begins with (RFC 7643 section 2.1).
                '.' | ':' => names.push(std::mem::take(&mut name)),
                c => name.push(c),
            }
        }
        names.push(name);
        names.retain(|name| {
            !name.is_empty() && name != "$" && !name.starts_with(|c: char| c.is_ascii_digit())
        });
        if path.trim_start_matches(['$', '.']).starts_with("urn:") {
            let last = names.pop();
            names = last.into_iter().collect();
        }
        (!names.is_empty()).then_some(Focus { names })
    }

    /// Whether a line is about it: its path ends in the same names.
    fn meets(&self, path: &[String]) -> bool {
        let end = path.len().checked_sub(self.names.len()).map(|at| &path[at..]);
        end.is_some_and(|end| end.iter().zip(&self.names).all(|(a, b)| a.eq_ignore_ascii_case(b)))
    }
}

/// Lays out a value. Its depth is bounded by the parser that read it.
pub fn lay_out(value: &Value, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    Layout { width, lines: &mut lines, path: Vec::new() }.value("", value, "", 0);
    lines
}

struct Layout<'a> {
    width: usize,
    lines: &'a mut Vec<Line>,
    path: Vec<String>,
}

impl Layout<'_> {
    fn push(&mut self, indent: usize, text: &str) {
        let text = format!("{}{}", "  ".repeat(indent), text::one_line(text));
        self.lines.push(Line { text, path: self.path.clone() });
    }

    /// One value with what stands before it (its name) and after it (a comma).
    fn value(&mut self, before: &str, value: &Value, after: &str, indent: usize) {
        let room = self.width.saturating_sub(2 * indent + before.len() + after.len()).min(96);
        let whole = match value {
            Value::Array(items) if items.is_empty() => Some("[]".to_owned()),
            Value::Object(members) if members.is_empty() => Some("{}".to_owned()),
            Value::Array(_) | Value::Object(_) if indent > 0 => flat(value, room),
            Value::Array(_) | Value::Object(_) => None,
            leaf => Some(leaf.to_string()),
        };
        if let Some(whole) = whole {
            self.push(indent, &format!("{before}{whole}{after}"));
            return;
        }
        match value {
            Value::Array(items) => {
                self.push(indent, &format!("{before}["));
                for (at, item) in items.iter().enumerate() {
                    self.value("", item, comma(at, items.len()), indent + 1);
                }
                self.push(indent, &format!("]{after}"));
            }
            Value::Object(members) => {
                self.push(indent, &format!("{before}{{"));
                for (at, (name, member)) in members.iter().enumerate() {
                    self.path.push(name.clone());
                    let quoted = Value::String(name.clone());
                    self.value(&format!("{quoted}: "), member, comma(at, members.len()), indent + 1);
                    self.path.pop();
                }
                self.push(indent, &format!("}}{after}"));
            }
            _ => {}
        }
    }
}

fn comma(at: usize, of: usize) -> &'static str {
    if at + 1 < of { "," } else { "" }
}

/// A value on one line, with blanks after commas and colons, if it takes no more than `room` columns.
fn flat(value: &Value, room: usize) -> Option<String> {
    let text = match value {
        Value::Array(items) => {
            let parts = items.iter().map(|item| flat(item, room)).collect::<Option<Vec<_>>>()?;
            format!("[{}]", parts.join(", "))
        }
        Value::Object(members) => {
            let parts = members
                .iter()
                .map(|(name, member)| {
                    Some(format!("{}: {}", Value::String(name.clone()), flat(member, room)?))
                })
                .collect::<Option<Vec<_>>>()?;
            format!("{{{}}}", parts.join(", "))
        }
        leaf => leaf.to_string(),
    };
    (text.len() <= room && text::columns(&text) <= room).then_some(text)
}

/// At most about `limit` of the lines: those that a focus meets with two around them, and the first and last.
pub fn choose<'a>(lines: &'a [Line], focus: &[Focus], limit: usize) -> Vec<Shown<'a>> {
    let met: Vec<bool> = lines.iter().map(|line| focus.iter().any(|focus| focus.meets(&line.path))).collect();
    let mut keep = vec![lines.len() <= limit; lines.len()];
    if lines.len() > limit {
        let mut left = limit.saturating_sub(2);
        for at in (0..lines.len()).filter(|&at| met[at]) {
            for near in &mut keep[at.saturating_sub(2)..lines.len().min(at + 3)] {
                if !*near && left > 0 {
                    *near = true;
                    left -= 1;
                }
            }
        }
        // What room is left goes to the beginning, where `schemas` and the error's own words stand.
        for near in keep.iter_mut() {
            if !*near && left > 0 {
                *near = true;
                left -= 1;
            }
        }
        if let Some(last) = keep.last_mut() {
            *last = true;
        }
    }
    let mut shown = Vec::new();
    let mut gap = 0;
    for (at, line) in lines.iter().enumerate() {
        // A gap of one line takes a line itself: show that line instead.
        let lone = !keep[at] && gap == 0 && keep.get(at + 1).copied().unwrap_or(false);
        if keep[at] || lone {
            if gap > 0 {
                shown.push(Shown::Gap(std::mem::take(&mut gap)));
            }
            shown.push(Shown::Line(&line.text, met[at]));
        } else {
            gap += 1;
        }
    }
    if gap > 0 {
        shown.push(Shown::Gap(gap));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn what_fits_on_a_line_stays_on_it() {
        let value =
            json!({"schemas": ["urn:x"], "name": {"givenName": "Ann"}, "x": [], "long": ["a".repeat(80)]});
        assert_eq!(
            texts(&lay_out(&value, 60)),
            [
                "{",
                r#"  "schemas": ["urn:x"],"#,
                r#"  "name": {"givenName": "Ann"},"#,
                r#"  "x": [],"#,
                r#"  "long": ["#,
                &format!("    \"{}\"", "a".repeat(80)),
                "  ]",
                "}",
            ]
        );
    }

    #[test]
    fn a_focus_is_read_from_attribute_paths_and_json_paths() {
        let names = |path: &str| Focus::of(path).map(|focus| focus.names);
        assert_eq!(names("emails[type eq \"a.b]\"].value"), Some(vec!["emails".into(), "value".into()]));
        assert_eq!(names("$.Resources[0].id"), Some(vec!["Resources".into(), "id".into()]));
        assert_eq!(
            names("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"),
            Some(vec!["department".into()])
        );
        assert_eq!(names("$"), None);
    }

    #[test]
    fn long_bodies_are_shown_around_the_focus() {
        let value: Value = serde_json::from_str(&format!(
            "{{{}}}",
            (0..40).map(|n| format!("\"m{n}\":{n}")).collect::<Vec<_>>().join(",")
        ))
        .unwrap();
        let lines = lay_out(&value, 80);
        let shown = choose(&lines, &[Focus::of("m30").unwrap()], 10);
        assert_eq!(
            shown,
            [
                Shown::Line("{", false),
                Shown::Line("  \"m0\": 0,", false),
                Shown::Line("  \"m1\": 1,", false),
                Shown::Gap(26),
                Shown::Line("  \"m28\": 28,", false),
                Shown::Line("  \"m29\": 29,", false),
                Shown::Line("  \"m30\": 30,", true),
                Shown::Line("  \"m31\": 31,", false),
                Shown::Line("  \"m32\": 32,", false),
                Shown::Gap(7),
                Shown::Line("}", false),
            ]
        );
        assert_eq!(choose(&lines, &[], 100).len(), lines.len());
    }

    #[test]
    fn hostile_names_and_values_are_made_visible() {
        let lines = lay_out(&json!({"a\u{1b}[2J": "\u{202e}x\ny"}), 80);
        assert_eq!(texts(&lines), ["{", "  \"a\\u001b[2J\": \"\\u{202e}x\\ny\"", "}"]);
    }
}
