//! Bytes read as decisions, so that one function serves two masters: proptest, which makes the bytes by chance and shrinks
//! them, and a coverage-guided fuzzer, which grows them. Where the bytes end, every decision is the first one.

/// Decisions that are left.
pub struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Choices<'a> {
        Choices { bytes }
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    /// A number below a limit; nought where there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        if limit <= 1 {
            return 0;
        }
        let mut number = usize::from(self.byte());
        if limit > 1 << 8 {
            number = number << 8 | usize::from(self.byte());
        }
        if limit > 1 << 16 {
            number = number << 8 | usize::from(self.byte());
        }
        number % limit
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Whether something happens that happens once in so many times; never where the bytes have ended.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) + 1 == times
    }

    pub fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// The bytes that are left, all of them.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// A few bytes as they are, at most that many.
    pub fn raw(&mut self, most: usize) -> &'a [u8] {
        let length = self.below(most + 1).min(self.bytes.len());
        let (raw, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        raw
    }

    /// A text, most often one that something is known to trip over.
    pub fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..=self.below(3) {
            match self.below(4) {
                0 => text.push_str(self.pick(TEXTS)),
                1 => text.push_str(&String::from_utf8_lossy(self.raw(16))),
                2 => text.extend(char::from_u32(u32::try_from(self.below(0x11_0000)).unwrap_or(0))),
                _ => {
                    let piece = self.pick(TEXTS);
                    let times = self.pick(&[2, 40, 700, 3000]);
                    text.push_str(&piece.repeat(times));
                }
            }
        }
        text
    }
}

/// What readers and writers of text trip over.
pub const TEXTS: &[&str] = &[
    "x",
    "",
    " ",
    "Ann Archer",
    "ann@example.com",
    "urn:ietf:params:scim:schemas:core:2.0:User",
    "2026-11-22T10:00:00Z",
    "9999-99-99T99:99:99.999999999Z",
    "+262143-12-31T23:59:59-23:59",
    "W/\"1\"",
    "http://127.0.0.1:1/scim/v2/Users/1",
    "http://[::1",
    "//../..\\",
    "%00%ff%",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\u{0}",
    "\u{8}\u{b}\u{c}",
    "\u{1b}[31m\u{1b}]0;x\u{7}",
    "\u{7f}\u{85}\u{9b}2J",
    "\u{2028}\u{2029}",
    "\u{202e}\u{2066}\u{200b}\u{feff}",
    "\u{fffe}\u{ffff}\u{1fffe}\u{10ffff}",
    "\u{d7ff}\u{e000}\u{fffd}",
    "\\ud800\\udfff",
    "]]>",
    "<![CDATA[ ]]]]>",
    "<!-- -- -->",
    "</failure></testcase>",
    "&amp;&#0;&#xD800;&nosuch;",
    "<?xml version=\"1.1\"?>",
    "\"'`",
    "\\",
    "日本 太郎 ß ﬃ İ",
    "e\u{301}\u{327}\u{300}",
    "👩‍👩‍👧‍👦",
    "${x}",
    "${",
    "$.a[?(@.b==1)]",
    "emails[type eq \"work\"].value",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "#",
    ": ",
    ", ",
    "-",
    "0",
    "99999999999999999999999999",
    "1e999",
    "null",
    "…",
];
