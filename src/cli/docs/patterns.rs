//! The patterns of the schemas, in words.

/// Each pattern that a spec has, but those that the schema says in words itself. A test sees to it that none is missing.
const WORDS: &[(&str, &str)] = &[
    (r"^\P{Cc}*$", "no control characters"),
    (r"^[\P{Cc}\n\t]*$", "no control characters but line breaks and tabs"),
    ("^[!-~]*$", "printable ASCII without spaces"),
    ("^[!-~]+$", "printable ASCII without spaces"),
    (r"^[!#-\[\]-~]+$", r#"printable ASCII without spaces, `"` and `\`"#),
    ("^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$", "a duration, such as `1m30s`"),
    ("^(https?://[!-~]+)?$", "a URL of `http` or `https`, or empty"),
    // The rule beside it says what it must be.
    (r"^[^/\p{Cc}]*(/(0|[1-9][0-9]*))?$", "no leading zeros after a `/`"),
    (
        r"^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*$",
        "labels of letters, digits and `-`, divided by dots",
    ),
    ("^[a-z0-9][-a-z0-9]*[a-z0-9]$", "lower-case letters, digits and `-`, which is at no end"),
    ("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "lower-case letters, digits and `-`, which is at no end"),
    (
        "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "lower-case letters, digits, `-` and `.`, which are at no end",
    ),
    (
        "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        "letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
    ),
    (
        "^[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9])?$",
        "letters, digits, `-`, `_`, `.` and `:`, with a letter or digit at both ends",
    ),
    ("^[-._a-zA-Z0-9]+$", "letters, digits, `-`, `_` and `.`"),
    ("^[A-Za-z0-9_-]+$", "letters, digits, `-` and `_`"),
    ("^[A-Za-z_][A-Za-z0-9_]*$", "letters, digits and `_`, and no digit first"),
    ("^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", "what Kubernetes takes for a label"),
    (
        r"^([a-z0-9]([-a-z0-9]*[a-z0-9*])?|\*)$",
        "the name of a Kubernetes namespace, or the beginning of one and `*`",
    ),
    ("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", "a UUID in lower case"),
];

/// What a pattern means; itself if nobody has said it.
pub fn in_words(pattern: &str) -> String {
    WORDS
        .iter()
        .find(|(known, _)| *known == pattern)
        .map_or_else(|| format!("matches `{pattern}`"), |(_, words)| (*words).to_owned())
}

/// Whether texts of this pattern are durations, of which the number of characters says nothing.
pub fn is_duration(pattern: &str) -> bool {
    in_words(pattern).starts_with("a duration")
}
