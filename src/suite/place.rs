//! Where each node of a YAML file stands: a path such as `cases[0].steps[1].expect` to line, column and length.
//!
//! Built by walking the parser's events, so that the types of the model stay plain. It refuses to know what the
//! nodes mean, and it never fails: a path that is not there is answered with its nearest ancestor.

use granit_parser::{Event, Parser, Span};

/// A stretch of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spot {
    /// One-based line.
    pub line: u32,
    /// One-based column, in characters.
    pub column: u32,
    /// Length in characters, up to the end of the line; at least one.
    pub length: u32,
}

impl Spot {
    /// The beginning of a file.
    pub const START: Spot = Spot { line: 1, column: 1, length: 1 };

    fn of(span: &Span) -> Spot {
        let (start, end) = (span.start, span.end);
        let length = if end.line() == start.line() { end.col().saturating_sub(start.col()) } else { 1 };
        Spot {
            line: u32::try_from(start.line()).unwrap_or(u32::MAX),
            column: u32::try_from(start.col() + 1).unwrap_or(u32::MAX),
            length: u32::try_from(length.max(1)).unwrap_or(u32::MAX),
        }
    }
}

#[derive(Debug, Clone)]
struct Node {
    /// Where the key stands, for a member of a mapping.
    key: Option<Spot>,
    value: Spot,
    children: Children,
    /// Whether it is a scalar without quotes.
    plain: bool,
}

#[derive(Debug, Clone)]
enum Children {
    None,
    Sequence(Vec<usize>),
    Mapping(Vec<(String, usize)>),
}

/// The places of all nodes of one YAML document.
#[derive(Debug, Clone, Default)]
pub struct Places {
    nodes: Vec<Node>,
}

impl Places {
    /// Reads the places of a document. Of text that is no YAML, those up to the trouble.
    pub fn read(source: &str) -> Places {
        let mut places = Places::default();
        // The way down to the container that is open: its node, and the key that waits for its value.
        let mut open: Vec<(usize, Option<(String, Spot)>)> = Vec::new();
        for event in Parser::new_from_str(source) {
            let Ok((event, span)) = event else { break };
            let spot = Spot::of(&span);
            match event {
                Event::Scalar(text, style, ..) => {
                    if let Some((parent, waiting @ None)) = open.last_mut()
                        && matches!(places.nodes[*parent].children, Children::Mapping(_))
                    {
                        *waiting = Some((text.into_owned(), spot));
                        continue;
                    }
                    let plain = style == granit_parser::ScalarStyle::Plain;
                    places.add(&mut open, spot, Children::None, plain);
                }
                Event::Alias(_) => {
                    if let Some((parent, waiting @ None)) = open.last_mut()
                        && matches!(places.nodes[*parent].children, Children::Mapping(_))
                    {
                        *waiting = Some((String::new(), spot));
                        continue;
                    }
                    places.add(&mut open, spot, Children::None, true);
                }
                Event::SequenceStart(..) => {
                    let node = places.add(&mut open, spot, Children::Sequence(Vec::new()), false);
                    open.push((node, None));
                }
                Event::MappingStart(..) => {
                    let node = places.add(&mut open, spot, Children::Mapping(Vec::new()), false);
                    open.push((node, None));
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                }
                _ => {}
            }
        }
        places
    }

    fn add(
        &mut self,
        open: &mut [(usize, Option<(String, Spot)>)],
        value: Spot,
        children: Children,
        plain: bool,
    ) -> usize {
        let index = self.nodes.len();
        let mut key = None;
        if let Some((parent, waiting)) = open.last_mut() {
            match &mut self.nodes[*parent].children {
                Children::Sequence(elements) => elements.push(index),
                Children::Mapping(members) => match waiting.take() {
                    Some((name, spot)) => {
                        key = Some(spot);
                        members.push((name, index));
                    }
                    // A collection as a key: it has no name, and its own value is found under no path.
                    None => *waiting = Some((String::new(), value)),
                },
                Children::None => {}
            }
        }
        self.nodes.push(Node { key, value, children, plain });
        index
    }

    /// Where the value at that path stands, or its nearest ancestor that is there.
    ///
    /// A value that is a mapping or list is shown by its key, since block style begins it a line further down.
    pub fn spot(&self, path: &str) -> Spot {
        let Some(node) = self.nearest(path) else { return Spot::START };
        match (&node.children, node.key) {
            (Children::Sequence(_) | Children::Mapping(_), Some(key)) => key,
            _ => node.value,
        }
    }

    /// Where the key of the member at that path stands, or as [`Places::spot`].
    pub fn key_spot(&self, path: &str) -> Spot {
        match self.nearest(path) {
            Some(Node { key: Some(key), .. }) => *key,
            _ => self.spot(path),
        }
    }

    /// The spot of the key or scalar that begins exactly there, or covers it.
    pub fn at(&self, spot: Spot) -> Option<Spot> {
        let covers = |known: &Spot| {
            known.line == spot.line
                && known.column <= spot.column
                && spot.column < known.column.saturating_add(known.length)
        };
        self.nodes
            .iter()
            .flat_map(|node| node.key.into_iter().chain(Some(node.value)))
            .filter(covers)
            .min_by_key(|known| (spot.column - known.column, u32::MAX - known.length))
    }

    /// The value of the member whose key stands exactly there, if it is a scalar.
    pub fn scalar_of_key(&self, key: Spot) -> Option<Spot> {
        let node = self.nodes.iter().find(|node| node.key == Some(key))?;
        matches!(node.children, Children::None).then_some(node.value)
    }

    /// The beginning of the innermost mapping that begins at a spot or has a key there.
    pub fn mapping_at(&self, spot: Spot) -> Option<Spot> {
        let begins = |node: &&Node| matches!(node.children, Children::Mapping(_));
        let holds = |node: &&Node| match &node.children {
            Children::Mapping(members) => {
                members.iter().any(|(_, member)| self.nodes[*member].key == Some(spot))
            }
            Children::None | Children::Sequence(_) => false,
        };
        self.nodes.iter().filter(begins).find(holds).map(|node| node.value)
    }

    /// Whether exactly that path is there.
    pub fn has(&self, path: &str) -> bool {
        self.walk(path).is_ok()
    }

    /// Whether the scalar at exactly that path stands without quotes.
    pub fn plain(&self, path: &str) -> bool {
        self.walk(path).is_ok_and(|node| node.plain)
    }

    fn nearest(&self, path: &str) -> Option<&Node> {
        match self.walk(path) {
            Ok(node) => Some(node),
            Err(node) => node,
        }
    }

    /// The node at the path, or the last one on the way to it.
    fn walk(&self, path: &str) -> Result<&Node, Option<&Node>> {
        let mut node = self.nodes.first().ok_or(None)?;
        let mut rest = path;
        while !rest.is_empty() {
            let step = match &node.children {
                Children::None => None,
                Children::Sequence(elements) => index_step(rest)
                    .and_then(|(index, rest)| elements.get(index).map(|&element| (element, rest))),
                Children::Mapping(members) => {
                    let rest = rest.strip_prefix('.').unwrap_or(rest);
                    // Keys may hold dots and brackets themselves, so the longest that fits is meant.
                    members
                        .iter()
                        .filter_map(|(name, member)| {
                            let after = rest.strip_prefix(name.as_str())?;
                            (after.is_empty() || after.starts_with(['.', '['])).then_some((
                                name.len(),
                                *member,
                                after,
                            ))
                        })
                        .max_by_key(|(length, ..)| *length)
                        .map(|(_, member, after)| (member, after))
                }
            };
            let Some((next, after)) = step else { return Err(Some(node)) };
            node = &self.nodes[next];
            rest = after;
        }
        Ok(node)
    }
}

fn index_step(path: &str) -> Option<(usize, &str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "suite: x\ncases:\n  - id: one # said\n    headers: {a.b: 1, a: {b: 2}}\n    steps:\n      - {send: \"GET /ü\", expect: [1, 2]}\n";

    #[test]
    fn scalars_are_found_by_their_value() {
        let places = Places::read(YAML);
        assert_eq!(places.spot("cases[0].id"), Spot { line: 3, column: 9, length: 3 });
        assert_eq!(places.spot("cases[0].steps[0].send"), Spot { line: 6, column: 16, length: 8 });
        assert_eq!(places.spot("cases[0].steps[0].expect[1]"), Spot { line: 6, column: 38, length: 1 });
    }

    #[test]
    fn collections_and_keys_are_found_by_their_key() {
        let places = Places::read(YAML);
        assert_eq!(places.spot("cases"), Spot { line: 2, column: 1, length: 5 });
        assert_eq!(places.key_spot("cases[0].id"), Spot { line: 3, column: 5, length: 2 });
    }

    #[test]
    fn keys_with_dots_are_told_apart_by_the_longest_fit() {
        let places = Places::read(YAML);
        assert_eq!(places.spot("cases[0].headers.a.b").column, 20);
    }

    #[test]
    fn what_is_not_there_is_answered_by_the_nearest_ancestor() {
        let places = Places::read(YAML);
        assert_eq!(places.spot("cases[0].steps[7].expect").line, 5);
        assert!(!places.has("cases[0].steps[7]") && places.has("cases[0].steps[0]"));
        assert_eq!(Places::read("").spot("cases[3]"), Spot::START);
        assert_eq!(Places::read("a: 5\nb: [1").spot("a"), Spot { line: 1, column: 4, length: 1 });
    }
}
