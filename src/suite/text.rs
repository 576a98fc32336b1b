//! A file as it was read: its name, its text, and the places of its nodes.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::diagnostic::{Diagnostic, Severity};
use super::place::{Places, Spot};
use super::yaml;
use crate::outcome::Place;

/// A file that was read. The places of its nodes are read on first use.
#[derive(Debug)]
pub struct Text {
    file: String,
    source: Cow<'static, str>,
    places: OnceLock<Places>,
}

impl Text {
    pub(crate) fn new(file: String, source: Cow<'static, str>) -> Text {
        Text { file, source, places: OnceLock::new() }
    }

    /// The file's name, as reports print it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What stands in the file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The places of its nodes.
    pub fn places(&self) -> &Places {
        self.places.get_or_init(|| Places::read(&self.source))
    }

    /// Where the node at a path such as `cases[3].steps[1].expect.spec[0]` stands; the nearest ancestor when that exact
    /// path is not there.
    pub fn place(&self, path: &str) -> Place {
        let spot = self.places().spot(path);
        Place { file: self.file.clone(), line: spot.line, column: spot.column }
    }

    /// A diagnostic at a spot.
    pub fn diagnostic(
        &self,
        spot: Spot,
        severity: Severity,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Diagnostic {
        yaml::diagnostic_at(&self.file, &self.source, spot, severity, message, hint)
    }
}
