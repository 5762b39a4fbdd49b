//! The chart's values as a table, from values.yaml and the comments in it.

use std::fmt::Write;

/// One value, or several that are explained together.
struct Row {
    path: String,
    says: String,
    default: String,
    /// What is below it, if that is not explained by itself.
    below: Vec<String>,
}

/// A table for each part of values.yaml, whose headings are lines such as `# -- Names ---`.
///
/// The comment above a value explains it; what has none is a part of what is above it.
///
/// # Errors
/// The path of a value that no comment explains, or a line that is none of YAML as the chart writes it.
pub fn tables(yaml: &str) -> Result<String, String> {
    let mut page = String::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    for line in yaml.lines() {
        let text = line.trim_start();
        if let Some(heading) = text.strip_prefix("# -- ") {
            write(&mut page, &mut rows);
            let heading = heading.trim_end_matches('-').trim();
            // Writing to a String does not fail.
            let _ = write!(
                page,
                "\n### {heading}\n\n| value | default | what it is |\n|---|---|---|\n"
            );
            comment.clear();
        } else if let Some(words) = text.strip_prefix('#') {
            comment.push(words.trim());
        } else if text.is_empty() {
            comment.clear();
        } else {
            let Some((name, value)) = text.split_once(':').filter(|(name, _)| is_name(name)) else {
                return Err(format!("values.yaml: this line is no value: {line}"));
            };
            path.truncate((line.len() - text.len()) / 2);
            path.push(name);
            let (full, value) = (path.join("."), value.trim());
            let says = comment.join(" ");
            comment.clear();
            let above = path[..path.len() - 1].join(".");
            if !says.is_empty() {
                rows.push(Row { path: full, says, default: value.into(), below: Vec::new() });
            } else if value.is_empty() {
                // What is below it explains itself.
            } else if let Some(row) = rows.last_mut().filter(|row| row.path == above) {
                row.below.push(text.to_owned());
            } else {
                return Err(format!("values.yaml: {full} has no comment that explains it"));
            }
        }
    }
    write(&mut page, &mut rows);
    Ok(page)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The rows of a part, which are taken.
fn write(page: &mut String, rows: &mut Vec<Row>) {
    for Row { path, says, default, below } in rows.drain(..) {
        let default = match (default.is_empty(), below.is_empty()) {
            (false, _) => format!("`{default}`"),
            (true, false) => format!("`{{{}}}`", below.join(", ")),
            (true, true) => String::new(),
        };
        let says = says.replace('|', "\\|");
        let _ = writeln!(page, "| `{path}` | {default} | {says} |");
    }
}

#[cfg(test)]
mod tests {
    use super::tables;

    #[test]
    fn each_value_has_its_comment_and_what_has_none_belongs_to_what_is_above() {
        let yaml = "# About all of it.\n\n# -- Names ----\n\n# Instead of\n# the name.\nname: \"\"\n\n\
                    it:\n  # a | b\n  size: 1\n  # Found by them.\n  labels:\n    a: b\n    c: d\n";
        let expected = "\n### Names\n\n| value | default | what it is |\n|---|---|---|\n\
                        | `name` | `\"\"` | Instead of the name. |\n\
                        | `it.size` | `1` | a \\| b |\n\
                        | `it.labels` | `{a: b, c: d}` | Found by them. |\n";
        assert_eq!(tables(yaml).unwrap(), expected);
    }

    #[test]
    fn a_value_that_nobody_explains_is_named() {
        for yaml in ["# -- A --\na: 1\n", "# -- A --\n# Why.\na:\n  b:\n    c: 1\n"] {
            let error = tables(yaml).unwrap_err();
            assert!(error.contains("has no comment"), "{error}");
        }
    }
}
