//! The parser of filters, attribute notation and PATCH paths: recursive descent over the bytes of the text.
//!
//! It takes the grammar of RFC 7644 §3.4.2.2 and §3.5.2 with errata 4690, 7319 and 7322: brackets hold
//! comparisons of bare sub-attributes joined by `and`, `or`, `not` and parentheses, and no further brackets.
//! Milder than the letter in two points that the RFC's own examples need: several blanks (or none, where
//! no words run together) may stand between tokens, and a name may begin with `$`, for `$ref`.

use serde_json::{Number, Value};

use super::{CompareOperator, Filter, FilterError, FilterValue, MAX_DEPTH, MAX_LENGTH};
use crate::scim::path::{AttributePath, PatchPath};

/// Reads a filter.
///
/// # Errors
/// If the text breaks the grammar or a limit.
pub fn filter(text: &str) -> Result<Filter, FilterError> {
    let mut parser = Parser::new(text, true)?;
    let filter = parser.disjunction(Scope::Resource, 0)?;
    parser.skip_blanks();
    match parser.peek() {
        None => Ok(filter),
        Some(_) => Err(parser.unexpected_rest()),
    }
}

/// Reads `[urn:]name[.sub]`.
///
/// # Errors
/// If the text breaks the grammar.
pub fn attribute_path(text: &str) -> Result<AttributePath, FilterError> {
    let mut parser = Parser::new(text, false)?;
    let path = parser.path()?;
    match parser.peek() {
        None => Ok(path),
        Some(_) => Err(parser.error("an attribute name ends here", None)),
    }
}

/// Reads a PATCH path.
///
/// # Errors
/// If the text breaks the grammar or a limit.
pub fn patch_path(text: &str) -> Result<PatchPath, FilterError> {
    let mut parser = Parser::new(text, false)?;
    if text.starts_with('/') {
        return Err(parser
            .error("a path is attribute notation", Some("a JSON pointer is not; write name.familyName")));
    }
    let attribute = parser.path()?;
    if parser.peek().is_none() {
        return Ok(PatchPath { attribute, filter: None, sub: None });
    }
    if parser.peek() != Some(b'[') {
        return Err(parser.error("a path ends here, or goes on with '['", None));
    }
    let filter = parser.brackets(&attribute, 0)?;
    let sub = match parser.peek() {
        None => None,
        Some(b'.') => {
            parser.at += 1;
            let start = parser.at;
            let word = parser.word();
            check_name(word, start, parser.in_filter)?;
            Some(word.to_owned())
        }
        Some(_) => {
            return Err(parser.error("a path ends here, or goes on with '.' and a sub-attribute", None));
        }
    };
    match parser.peek() {
        None => Ok(PatchPath { attribute, filter: Some(filter), sub }),
        Some(_) => Err(parser.error("a path ends here", None)),
    }
}

/// Where a comparison stands.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    /// On the resource: paths are attribute notation.
    Resource,
    /// Between brackets: paths are names of sub-attributes.
    Element,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    in_filter: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, in_filter: bool) -> Result<Self, FilterError> {
        let parser = Parser { text, at: 0, in_filter };
        if text.len() > MAX_LENGTH {
            let message = format!("the text has {} bytes, {MAX_LENGTH} are read", text.len());
            return Err(parser.error(&message, None));
        }
        Ok(parser)
    }

    fn disjunction(&mut self, scope: Scope, depth: usize) -> Result<Filter, FilterError> {
        let mut operands = vec![self.conjunction(scope, depth)?];
        while self.connective("or") {
            operands.push(self.conjunction(scope, depth)?);
        }
        Ok(one_or(operands, Filter::Or))
    }

    fn conjunction(&mut self, scope: Scope, depth: usize) -> Result<Filter, FilterError> {
        let mut operands = vec![self.term(scope, depth)?];
        while self.connective("and") {
            operands.push(self.term(scope, depth)?);
        }
        Ok(one_or(operands, Filter::And))
    }

    /// Takes `and` or `or` where it stands as a word of its own.
    fn connective(&mut self, keyword: &str) -> bool {
        let before = self.at;
        self.skip_blanks();
        if self.word().eq_ignore_ascii_case(keyword) {
            return true;
        }
        self.at = before;
        false
    }

    fn term(&mut self, scope: Scope, depth: usize) -> Result<Filter, FilterError> {
        self.skip_blanks();
        let start = self.at;
        match self.peek() {
            None => {
                return Err(self.error("an expression is missing", Some("such as userName eq \"bjensen\"")));
            }
            Some(b'(') => return self.group(scope, depth),
            Some(b'[') => return Err(self.error("'[' has no attribute before it", None)),
            Some(b'"' | b'\'') => {
                return Err(
                    self.error("an expression begins with an attribute", Some("the value stands last"))
                );
            }
            Some(b')' | b']') => return Err(self.error("an expression is missing", None)),
            Some(_) => {}
        }
        if self.word().eq_ignore_ascii_case("not") {
            self.skip_blanks();
            if self.peek() == Some(b'(') {
                return Ok(Filter::Not(Box::new(self.group(scope, depth)?)));
            }
        }
        self.at = start;
        self.expression(scope, depth)
    }

    fn group(&mut self, scope: Scope, depth: usize) -> Result<Filter, FilterError> {
        if depth >= MAX_DEPTH {
            return Err(self.error(&format!("nests deeper than {MAX_DEPTH}"), None));
        }
        let open = self.at;
        self.at += 1;
        let inner = self.disjunction(scope, depth + 1)?;
        self.skip_blanks();
        match self.peek() {
            Some(b')') => {
                self.at += 1;
                Ok(inner)
            }
            Some(_) => Err(self.unexpected_rest()),
            None => Err(self.error(&format!("the '(' at byte {open} is not closed"), None)),
        }
    }

    fn expression(&mut self, scope: Scope, depth: usize) -> Result<Filter, FilterError> {
        let start = self.at;
        let path = self.path()?;
        if scope == Scope::Element && (path.urn.is_some() || path.sub.is_some()) {
            self.at = start;
            return Err(self.error(
                "between brackets stand bare names of sub-attributes",
                Some("as in [type eq \"work\"]"),
            ));
        }
        if self.peek() == Some(b'[') {
            if scope == Scope::Element {
                return Err(self.error("brackets do not nest", None));
            }
            let filter = self.brackets(&path, depth)?;
            if self.peek() == Some(b'.') {
                let hint =
                    "put the comparison between the brackets: emails[type eq \"work\" and value eq \"…\"]";
                return Err(self.error("a filter ends its value path with ']'", Some(hint)));
            }
            return Ok(Filter::ValuePath { path, filter: Box::new(filter) });
        }
        self.skip_blanks();
        let operator_at = self.at;
        let word = self.word();
        if word.is_empty() {
            return Err(self.error(
                &format!("{path} is followed by no operator"),
                Some("as in title pr, or title eq \"x\""),
            ));
        }
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(path));
        }
        let Some(operator) = CompareOperator::parse(word) else {
            self.at = operator_at;
            let known: Vec<&str> = CompareOperator::ALL.iter().map(|it| it.as_str()).collect();
            let hint = if path.name.eq_ignore_ascii_case("not") && path.urn.is_none() {
                "not needs parentheses: not (title pr)".to_owned()
            } else {
                format!("the operators are {} and pr", known.join(", "))
            };
            return Err(self.error(&format!("{word} is no operator"), Some(&hint)));
        };
        self.skip_blanks();
        let value = self.value()?;
        match self.peek() {
            None | Some(b' ' | b')' | b']') => Ok(Filter::Compare { path, operator, value }),
            Some(_) => Err(self.error("the value ends here", Some("a blank is missing"))),
        }
    }

    /// `[ … ]` behind `path`.
    fn brackets(&mut self, path: &AttributePath, depth: usize) -> Result<Filter, FilterError> {
        if path.sub.is_some() {
            return Err(self.error("brackets stand behind an attribute, not behind a sub-attribute", None));
        }
        if depth >= MAX_DEPTH {
            return Err(self.error(&format!("nests deeper than {MAX_DEPTH}"), None));
        }
        let open = self.at;
        let outer = std::mem::replace(&mut self.in_filter, true);
        self.at += 1;
        let filter = self.disjunction(Scope::Element, depth + 1)?;
        self.skip_blanks();
        match self.peek() {
            Some(b']') => {
                self.at += 1;
                self.in_filter = outer;
                Ok(filter)
            }
            Some(_) => Err(self.unexpected_rest()),
            None => {
                self.in_filter = outer;
                Err(self.error(&format!("the '[' at byte {open} is not closed"), None))
            }
        }
    }

    fn path(&mut self) -> Result<AttributePath, FilterError> {
        let start = self.at;
        let word = self.word();
        if word.is_empty() {
            return Err(self.error("an attribute is missing", None));
        }
        let (urn, rest) = match word.rsplit_once(':') {
            Some((urn, rest)) => (Some(urn), rest),
            None => (None, word),
        };
        if let Some(urn) = urn
            && (!urn.contains(':')
                || !urn.starts_with(|first: char| first.is_ascii_alphabetic())
                || urn.ends_with(':'))
        {
            self.at = start;
            return Err(self.error(
                &format!("{urn} is no schema URI"),
                Some("as in urn:ietf:params:scim:…:User:userName"),
            ));
        }
        let rest_at = start + word.len() - rest.len();
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        check_name(name, rest_at, self.in_filter)?;
        if let Some(sub) = sub {
            check_name(sub, rest_at + name.len() + 1, self.in_filter)?;
        }
        Ok(AttributePath { urn: urn.map(str::to_owned), name: name.to_owned(), sub: sub.map(str::to_owned) })
    }

    fn value(&mut self) -> Result<FilterValue, FilterError> {
        let start = self.at;
        match self.peek() {
            None => Err(self.error("the value is missing", None)),
            Some(b'"') => self.string(),
            Some(b'\'') => Err(self.error("a string stands in double quotes", None)),
            Some(b'(' | b')' | b'[' | b']' | b'{') => {
                Err(self.error("the value is missing", Some("a JSON string, number, true, false or null")))
            }
            Some(_) => {
                let word = self.word();
                match word {
                    "true" => return Ok(FilterValue::Boolean(true)),
                    "false" => return Ok(FilterValue::Boolean(false)),
                    "null" => return Ok(FilterValue::Null),
                    _ => {}
                }
                let value = number(word).map(FilterValue::Number);
                value.ok_or_else(|| {
                    let lower = word.to_ascii_lowercase();
                    let hint = if ["true", "false", "null"].contains(&lower.as_str()) {
                        format!("write {lower}")
                    } else if word.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
                    {
                        "a number is written as in JSON".to_owned()
                    } else {
                        "a string stands in double quotes".to_owned()
                    };
                    self.at = start;
                    self.error(&format!("{word} is no value"), Some(&hint))
                })
            }
        }
    }

    fn string(&mut self) -> Result<FilterValue, FilterError> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        loop {
            match bytes.get(end) {
                None => return Err(self.error("the string is not closed", Some("a \" is missing"))),
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(byte) if *byte < 0x20 => {
                    self.at = end;
                    return Err(self.error(
                        "a control character stands unescaped in a string",
                        Some("write \\n, \\t or \\u00XX"),
                    ));
                }
                Some(_) => end += 1,
            }
        }
        // The closing quote is ASCII, so both ends are character boundaries.
        let literal = self.text.get(start..=end).unwrap_or_default();
        match serde_json::from_str::<Value>(literal) {
            Ok(Value::String(text)) => {
                self.at = end + 1;
                Ok(FilterValue::String(text))
            }
            _ => Err(self.error(
                "the string has a malformed escape",
                Some("\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"),
            )),
        }
    }

    /// The characters up to a blank, a bracket, a parenthesis or a quote.
    fn word(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest
            .find(|it: char| {
                it.is_whitespace() || matches!(it, '(' | ')' | '[' | ']' | '{' | '}' | '"' | '\'')
            })
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn skip_blanks(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn unexpected_rest(&self) -> FilterError {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let shown: String = rest.chars().take(20).collect();
        match self.peek() {
            Some(b')') => self.error("')' closes nothing", None),
            Some(b']') => self.error("']' closes nothing", None),
            _ => self.error(
                &format!("{shown} follows a whole expression"),
                Some("and, or, or a closing bracket is missing"),
            ),
        }
    }

    fn error(&self, message: &str, hint: Option<&str>) -> FilterError {
        error_at(self.at, self.in_filter, message, hint)
    }
}

fn error_at(position: usize, in_filter: bool, message: &str, hint: Option<&str>) -> FilterError {
    FilterError { position, message: message.to_owned(), hint: hint.map(str::to_owned), in_filter }
}

fn one_or(mut operands: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match operands.pop() {
        Some(only) if operands.is_empty() => only,
        Some(last) => {
            operands.push(last);
            join(operands)
        }
        // Unreachable: the caller has parsed at least one operand.
        None => join(operands),
    }
}

/// `ATTRNAME` of RFC 7643 §2.1: a letter (or, for `$ref`, a dollar and a letter), then letters, digits, `-`, `_`, `$`.
fn check_name(name: &str, at: usize, in_filter: bool) -> Result<(), FilterError> {
    let body = name.strip_prefix('$').unwrap_or(name);
    if !body.starts_with(|first: char| first.is_ascii_alphabetic()) {
        let message = match name.chars().next() {
            None => "a name is missing".to_owned(),
            Some(first) => format!("a name begins with a letter, not with {first}"),
        };
        return Err(error_at(at, in_filter, &message, None));
    }
    match name.char_indices().find(|(_, it)| !(it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '$'))) {
        None => Ok(()),
        Some((offset, '.')) => Err(error_at(
            at + offset,
            in_filter,
            "a path has one sub-attribute at most",
            Some("as in name.familyName"),
        )),
        Some((offset, other)) => Err(error_at(
            at + offset,
            in_filter,
            &format!("a name cannot hold {other}"),
            Some("letters, digits, - and _"),
        )),
    }
}

/// A JSON number. Beyond 64 bits it is read as the nearest double; beyond doubles it is refused.
fn number(word: &str) -> Option<Number> {
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let sound = digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits);
    if !sound {
        return None;
    }
    if exponent.is_none() && fraction.is_none() && word != "-0" {
        if let Ok(number) = word.parse::<i64>() {
            return Some(number.into());
        }
        if let Ok(number) = word.parse::<u64>() {
            return Some(number.into());
        }
    }
    word.parse::<f64>().ok().and_then(Number::from_f64)
}
