//! Text on its way to a reader: made visible, bounded, wrapped.
//!
//! A service provider's text may hold anything: escape sequences that repaint a terminal, characters that no
//! XML file may contain, marks that turn the writing direction. Every report passes it through [`visible`].

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

/// Replaces what a reader cannot see, or a file cannot hold, by `\u{…}`. Line feeds stay; a tab becomes four
/// spaces, and a carriage return before a line feed is dropped.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && must_escape(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => shown.push('\n'),
            '\t' => shown.push_str("    "),
            '\r' if rest.peek() == Some(&'\n') => {}
            c if must_escape(c) => escape(&mut shown, c),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// As [`visible`], on one line: a line feed becomes `\n`.
pub fn one_line(text: &str) -> String {
    visible(text.trim_end()).replace('\n', "\\n")
}

/// Controls, what XML 1.0 forbids, and marks that are invisible or turn the writing direction.
fn must_escape(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{e0000}'..='\u{e007f}')
        || (u32::from(c) & 0xfffe) == 0xfffe
}

fn escape(out: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
}

/// At most `limit` bytes of a text, cut between characters, with a note of what is missing.
pub fn clip(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let cut = floor_char_boundary(text, limit);
    format!("{}… ({} more bytes)", &text[..cut], text.len() - cut)
}

/// At most `limit` columns of a line, with `…` where it was cut.
pub fn clip_columns(line: &str, limit: usize) -> Cow<'_, str> {
    // A column needs at least one byte, so a line that is short in bytes is short in columns.
    if line.len() <= limit || line.width() <= limit {
        return Cow::Borrowed(line);
    }
    let mut used = 0;
    let mut buffer = [0; 4];
    let cut = line
        .char_indices()
        .find(|(_, c)| {
            used += c.encode_utf8(&mut buffer).width();
            used + 1 > limit
        })
        .map_or(line.len(), |(at, _)| at);
    Cow::Owned(format!("{}…", &line[..cut]))
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The columns a text takes on a terminal.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// Breaks a text at spaces so that no line is wider than `width`, unless a single word is. Line feeds are
/// kept.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut used = 0;
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            let word_width = word.width();
            if used > 0 && used + 1 + word_width > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += word_width;
        }
        lines.push(line);
    }
    lines
}

/// Breaks a line after `width` columns, wherever that is: nothing of it is lost.
pub fn hard_wrap(line: &str, width: usize) -> Vec<&str> {
    let width = width.max(1);
    let mut chunks = Vec::new();
    let (mut from, mut used) = (0, 0);
    let mut buffer = [0; 4];
    for (at, c) in line.char_indices() {
        let columns = c.encode_utf8(&mut buffer).width();
        if used + columns > width && at > from {
            chunks.push(&line[from..at]);
            (from, used) = (at, 0);
        }
        used += columns;
    }
    chunks.push(&line[from..]);
    chunks
}

/// `1 case`, `3 cases`.
pub fn count(number: impl Into<u64>, noun: &str) -> String {
    let number = number.into();
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A duration as people read it: `412 ms`, `1.24 s`, `2 min 05 s`.
pub fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{:02} s", milliseconds / 1_000, milliseconds % 1_000 / 10),
        _ => format!("{} min {:02} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

/// A size as people read it: `312 bytes`, `8.1 KiB`, `5.0 MiB`.
pub fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..KIB => count(bytes, "byte"),
        KIB..MIB => format!("{} KiB", tenths(KIB)),
        _ => format!("{} MiB", tenths(MIB)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_characters_become_visible() {
        let hostile = "a\u{0}\u{1b}[31mred\u{9b}2J\u{fffe}\u{ffff}\u{202e}\u{1fffe}]]>\r\n\tend\r";
        assert_eq!(
            visible(hostile),
            "a\\u{0}\\u{1b}[31mred\\u{9b}2J\\u{fffe}\\u{ffff}\\u{202e}\\u{1fffe}]]>\n    end\\u{d}"
        );
    }

    #[test]
    fn ordinary_text_is_not_copied() {
        assert!(matches!(visible("Jos\u{e9} 日本 👍\nnext"), Cow::Borrowed(_)));
    }

    #[test]
    fn clip_cuts_between_characters() {
        assert_eq!(clip("日本語", 4), "日… (6 more bytes)");
        assert_eq!(clip("abc", 3), "abc");
    }

    #[test]
    fn clip_columns_counts_wide_characters_twice() {
        assert_eq!(clip_columns("日本語テスト", 7), "日本語…");
        assert_eq!(clip_columns("日本", 4), "日本");
    }

    #[test]
    fn wrap_keeps_line_feeds_and_long_words() {
        assert_eq!(wrap("one two three\nlongerthanthat x", 8), ["one two", "three", "longerthanthat", "x"]);
        assert_eq!(wrap("", 8), [""]);
    }

    #[test]
    fn hard_wrap_loses_nothing() {
        assert_eq!(hard_wrap("日本語x", 4), ["日本", "語x"]);
        assert_eq!(hard_wrap("", 4), [""]);
        assert_eq!(hard_wrap("語", 1), ["語"]);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!((count(1_u32, "case"), count(2_u32, "case")), ("1 case".into(), "2 cases".into()));
        assert_eq!([duration(7), duration(1_245), duration(125_000)], ["7 ms", "1.24 s", "2 min 05 s"]);
        assert_eq!([size(1), size(8_300), size(5_242_880)], ["1 byte", "8.1 KiB", "5.0 MiB"]);
    }
}
