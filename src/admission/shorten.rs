//! Warnings as the API server passes them on and people can read them.

/// The most warnings of one answer.
const MOST: usize = 10;

/// The most bytes of one warning (Kubernetes' AdmissionResponse: longer ones may be cut).
const LONGEST: usize = 256;

/// At most 10 of the warnings, each of at most 256 bytes and different from the others.
pub fn warnings(all: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for warning in all {
        let warning = short(warning);
        if !kept.contains(&warning) {
            kept.push(warning);
        }
    }
    if kept.len() > MOST {
        let left_out = kept.len() - (MOST - 1);
        kept.truncate(MOST - 1);
        kept.push(format!("{left_out} more warnings are left out; the object's status says more"));
    }
    kept
}

/// The text, cut at a character's boundary if it is too long.
fn short(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let mut end = LONGEST - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_cut_between_characters() {
        let exact = "ü".repeat(128);
        assert_eq!(short(exact.clone()), exact);
        let long = short(format!("x{exact}"));
        assert!(long.ends_with("ü…") && long.len() <= LONGEST, "{long} has {}", long.len());
        assert_eq!(long.len(), 256, "1 + 126 * 2 + 3");
    }

    #[test]
    fn warnings_are_few_and_differ() {
        let many = |count: usize| (0..count).map(|number| format!("warning {number}")).collect();
        assert_eq!(warnings(many(10)).len(), 10);
        let cut = warnings(many(30));
        assert_eq!(cut.len(), 10);
        assert_eq!(cut[8], "warning 8");
        assert!(cut[9].starts_with("21 more warnings"), "{}", cut[9]);
        assert_eq!(warnings(vec!["same".into(), "same".into()]), ["same"]);
    }
}
