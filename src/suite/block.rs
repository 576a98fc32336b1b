//! What an expectation, an alternative and a never have in common: demands on one answer.
//!
//! The file format keeps three flat structs, so that an unknown key is reported where it stands. Whoever reads
//! what they say (the judge, the lint) looks at them through this one view.

use serde_json::Value;

use super::model::{Alternative, Becomes, Check, ErrorExpect, Expect, ListExpect, Never, StatusSet};

/// The demands of a block.
#[derive(Debug, Clone, Copy, Default)]
pub struct Block<'e> {
    /// The status.
    pub status: Option<&'e StatusSet>,
    /// A SCIM error.
    pub error: Option<&'e ErrorExpect>,
    /// A part of the answer.
    pub body: Option<&'e Value>,
    /// The whole resource.
    pub becomes: Option<&'e Becomes>,
    /// A ListResponse.
    pub list: Option<&'e ListExpect>,
    /// A resource of that type.
    pub resource: Option<&'e str>,
    /// Single checks.
    pub checks: &'e [Check],
}

impl Block<'_> {
    /// Whether it demands nothing, so that every answer fits it.
    pub fn is_empty(&self) -> bool {
        self.status.is_none()
            && self.error.is_none()
            && self.body.is_none()
            && self.becomes.is_none()
            && self.list.is_none()
            && self.resource.is_none()
            && self.checks.is_empty()
    }
}

impl Expect {
    /// Its own demands, without those of `any`, `also` and `never`.
    pub fn block(&self) -> Block<'_> {
        Block {
            status: self.status.as_ref(),
            error: self.error.as_ref(),
            body: self.body.as_ref(),
            becomes: self.becomes.as_ref(),
            list: self.list.as_ref(),
            resource: self.resource.as_deref(),
            checks: &self.checks,
        }
    }
}

impl Alternative {
    /// Its demands.
    pub fn block(&self) -> Block<'_> {
        Block {
            status: self.status.as_ref(),
            error: self.error.as_ref(),
            body: self.body.as_ref(),
            becomes: self.becomes.as_ref(),
            list: self.list.as_ref(),
            resource: self.resource.as_deref(),
            checks: &self.checks,
        }
    }
}

impl Never {
    /// What must not come.
    pub fn block(&self) -> Block<'_> {
        Block {
            status: self.status.as_ref(),
            body: self.body.as_ref(),
            list: self.list.as_ref(),
            checks: &self.checks,
            ..Block::default()
        }
    }
}
