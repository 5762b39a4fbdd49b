//! The documents as their readers see them: their code, and the commands in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Where the repository is.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}

/// Every document, by its path in the repository.
pub fn all() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    for place in ["", "docs", "charts", "examples", ".github"] {
        let is_top = place.is_empty();
        gather(&root().join(place), !is_top, &mut pages);
    }
    assert!(pages.len() > 20, "{:?}", pages.keys());
    pages
}

fn gather(folder: &Path, deep: bool, pages: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && deep {
            gather(&path, deep, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            pages.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The text of one document.
pub fn text(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// A piece of code in a document.
#[derive(Clone, Debug)]
pub struct Block {
    pub page: String,
    /// Of its first line, from 1.
    pub line: usize,
    /// The first word after the fence; none in an indented block.
    pub language: Option<String>,
    /// The other words after the fence, as `name=value`.
    pub words: BTreeMap<String, String>,
    pub text: String,
}

impl Block {
    /// Where it is, for people.
    pub fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }

    /// Whether it is meant to be typed into a shell.
    pub fn is_shell(&self) -> bool {
        matches!(self.language.as_deref(), Some("sh" | "console"))
    }

    /// Whether there may be commands in it.
    pub fn has_commands(&self) -> bool {
        self.is_shell() || self.language.is_none()
    }

    /// What is typed: of a `console` what follows a `$`, and of others all.
    pub fn script(&self) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        if !lines.iter().any(|line| line.starts_with("$ ")) {
            return self.text.clone();
        }
        let mut script = String::new();
        let mut goes_on = false;
        for line in lines {
            let typed = line.strip_prefix("$ ").or(goes_on.then_some(line));
            goes_on = typed.is_some_and(|typed| typed.ends_with('\\'));
            if let Some(typed) = typed {
                script.push_str(typed);
                script.push('\n');
            }
        }
        script
    }
}

/// All code in a document.
pub fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    // The fence that is open, with its indentation.
    let mut open: Option<usize> = None;
    let mut in_indented = false;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some(by) = open {
            if trimmed == "```" {
                open = None;
            } else {
                let line = line.get(by.min(indent)..).unwrap_or_default();
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            continue;
        }
        let begin = |language: Option<&str>, words| Block {
            page: page.into(),
            line: number + 1,
            language: language.map(Into::into),
            words,
            text: String::new(),
        };
        if let Some(info) = trimmed.strip_prefix("```") {
            let mut info = info.split_whitespace();
            let language = info.next().unwrap_or_default();
            let words = info.map(|word| {
                let (name, value) = word.split_once('=').unwrap_or((word, ""));
                (name.to_owned(), value.to_owned())
            });
            blocks.push(begin(Some(language), words.collect()));
            open = Some(indent);
            in_indented = false;
        } else if indent >= 4 {
            if !in_indented {
                blocks.push(begin(None, BTreeMap::new()));
            }
            let block = blocks.last_mut().unwrap();
            block.text.push_str(trimmed);
            block.text.push('\n');
            in_indented = true;
        } else if !trimmed.is_empty() {
            in_indented = false;
        }
    }
    assert!(open.is_none(), "{page}: a fence is not closed");
    blocks
}

/// What stands between backticks in the prose of a document.
pub fn inline_code(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !line.starts_with("    ") {
            found.extend(line.split('`').skip(1).step_by(2).map(ToOwned::to_owned));
        }
    }
    found
}
