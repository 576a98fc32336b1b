//! What differs between the payload that was accepted and the one that came, for people.

use similar::TextDiff;

/// How many lines around a change are shown.
const AROUND: usize = 3;
/// How many lines of a diff are kept.
const LINES: usize = 400;

/// Whether two payloads are the same. Blanks at the end of a file are the editor's, not the server's.
pub fn same(accepted: &str, received: &str) -> bool {
    accepted.trim_end() == received.trim_end()
}

/// A payload without its headers: status line and body.
pub fn without_headers(payload: &str) -> String {
    let status = payload.lines().next().unwrap_or_default();
    match payload.split_once("\n\n") {
        Some((_, body)) => format!("{status}\n\n{body}"),
        None => format!("{status}\n"),
    }
}

/// The lines that differ, as a unified diff without file names: `-` accepted, `+` received.
pub fn diff(accepted: &str, received: &str) -> String {
    let (accepted, received) = (format!("{}\n", accepted.trim_end()), format!("{}\n", received.trim_end()));
    let whole = TextDiff::from_lines(&accepted, &received)
        .unified_diff()
        .context_radius(AROUND)
        .missing_newline_hint(false)
        .to_string();
    let lines: Vec<&str> = whole.lines().collect();
    let mut shown = lines.iter().take(LINES).copied().collect::<Vec<_>>().join("\n");
    if lines.len() > LINES {
        shown.push_str(&format!("\n… {} more lines", lines.len() - LINES));
    }
    shown
}

/// How many lines were taken out and put in.
pub fn changed(diff: &str) -> (usize, usize) {
    let count = |sign: char| diff.lines().filter(|line| line.starts_with(sign)).count();
    (count('-'), count('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_what_changed_with_its_surroundings() {
        let accepted =
            "HTTP 200 OK\n\n{\n  \"active\": true,\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3,\n  \"d\": 4\n}\n";
        let received = accepted.replace("\"active\": true", "\"active\": \"true\"");
        assert!(same(accepted, &format!("{accepted}\n\n")) && !same(accepted, &received));
        let diff = diff(accepted, &received);
        assert_eq!(changed(&diff), (1, 1));
        assert!(diff.starts_with("@@ -1,7 +1,7 @@\n HTTP 200 OK\n"), "{diff}");
        assert!(diff.contains("-  \"active\": true,\n+  \"active\": \"true\",\n"), "{diff}");
        assert!(!diff.contains("\"d\""), "{diff}");
    }

    #[test]
    fn headers_can_be_left_out() {
        assert_eq!(without_headers("HTTP 200 OK\nETag: x\n\n{\n\n}\n"), "HTTP 200 OK\n\n{\n\n}\n");
        assert_eq!(without_headers("HTTP 204 No Content\nETag: x\n"), "HTTP 204 No Content\n");
    }

    #[test]
    fn endless_diffs_are_cut() {
        let received: String = (0..10_000).map(|n| format!("{n}\n")).collect();
        let diff = diff("HTTP 200 OK\n", &received);
        assert!(diff.lines().count() <= LINES + 1 && diff.contains("more lines"));
    }
}
