//! Faults that no case catches as a fault should be caught, each with the reason.

/// Why no case fails on a fault, where that is right or known.
pub fn excuse(fault: &str) -> Option<&'static str> {
    EXCUSES.iter().find(|(name, _)| *name == fault).map(|(_, why)| *why)
}

/// Faults that break a must and that no case fails on, each with the reason.
pub const EXCUSES: &[(&str, &str)] = &[
    ("accept-refused", "the probe is refused too, and the run ends with that"),
    ("slow-users", "it breaks no requirement; clients with a short time-out are hurt"),
    ("trailing-slash-answers-404", "it breaks no requirement; clients that write the slash are hurt"),
];

/// Why a case does no more than warn or take note of a fault that breaks a must, in both readings.
pub fn leniency(fault: &str) -> Option<&'static str> {
    LENIENCIES.iter().find(|(name, _)| *name == fault).map(|(_, why)| *why)
}

/// Faults that break a must and that cases only warn of or take note of, each with the reason: mostly a dispute.
const LENIENCIES: &[(&str, &str)] = &[
    (
        "bulk-fails-as-a-whole",
        "an error for a job of which an operation failed contradicts examples only (AMB-124)",
    ),
    ("bulk-ids-not-unique", "what becomes of a bulkId that is there twice is open (AMB-121)"),
    ("bulk-location-relative", "a relative location resolves all the same (AMB-127)"),
    ("bulk-path-references-unknown", "the RFC does not speak of references in paths (AMB-122)"),
    ("bulk-post-needs-no-bulk-id", "nothing is lost but the name of the result (AMB-121)"),
    ("bulk-status-number", "the RFC's examples contradict its text (AMB-120)"),
    ("bulk-version-of-result-wrong", "the version may change by other operations of the job"),
    ("cursor-unknown-of-another-keyword", "which keyword goes with the refusal is not binding (AMB-154)"),
    ("delete-of-member-leaves-it", "whether the entry goes with the user is open (AMB-34)"),
    (
        "bulk-errors-without-detail",
        "detail is optional in an error, and what asks for words is one sentence (AMB-120)",
    ),
    ("error-scim-type-null-text", "a keyword of one's own is no worse than none"),
    ("error-with-sql", "detail is a text for people, and no text is forbidden"),
    ("error-with-stack-trace", "detail is a text for people, and no text is forbidden"),
    ("external-id-unique", "many servers refuse it, and clients live with that (AMB-31)"),
    ("groups-of-user-missing", "groups is optional (AMB-34)"),
    ("member-references-broken", "$ref is a should"),
    ("meta-location-internal-host", "proxies change the host, and clients resolve what they know"),
    ("meta-location-relative", "a relative reference resolves all the same"),
    ("mutability-scim-type-missing", "which keyword goes with which refusal is in dispute (AMB-109)"),
    ("patch-op-case-sensitive", "the RFC writes op in small letters (AMB-97)"),
    ("root-search-missing", "a search at the root is optional (AMB-58)"),
    ("schemas-without-schemas", "the RFC's own examples of schemas leave it out"),
    ("text-body-accepted", "what is too liberal serves every client (AMB-130)"),
    ("times-without-zone", "xsd:dateTime allows it"),
    ("undeclared-member-shown", "a client reads past what it does not know"),
    ("version-missing", "the version is in the ETag header (AMB-132)"),
];
