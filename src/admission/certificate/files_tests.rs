//! Files that are whole are read when they change; others are said to be of no use.

use std::os::unix::fs::symlink;

use super::*;
use crate::admission::certificate::{held::Content, issue::renew, renewal::Due};

fn content() -> Content {
    let due = Due { authority: true, serving: true, bundle: false };
    renew(jiff::Timestamp::now(), &["localhost".into()], None, due).unwrap()
}

fn write(folder: &Path, content: &Content) {
    fs::write(folder.join("tls.crt"), &content.serving.certificate).unwrap();
    fs::write(folder.join("tls.key"), content.serving.key.as_bytes()).unwrap();
    fs::write(folder.join("ca.crt"), content.bundle()).unwrap();
}

/// The certificate that is read, if files have changed.
fn served(files: &mut Files) -> Option<Vec<u8>> {
    files.look().unwrap().map(|current| current.key.cert[0].to_vec())
}

#[test]
fn files_are_read_when_they_change_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Files::new(folder.path().into());
    let sentence = files.look().unwrap_err().to_string();
    assert!(sentence.contains("tls.crt cannot be read"), "{sentence}");
    assert!(files.look().unwrap().is_none(), "what is wrong is said once");

    let first = content();
    write(folder.path(), &first);
    let read = files.look().unwrap().unwrap();
    assert_eq!(read.bundle, Some(first.bundle()));
    assert!(files.look().unwrap().is_none());

    fs::remove_file(folder.path().join("ca.crt")).unwrap();
    assert_eq!(files.look().unwrap().unwrap().bundle, None, "somebody else says whom to trust");
}

#[test]
fn half_of_a_new_pair_is_of_no_use() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (content(), content());
    write(folder.path(), &first);
    let mut files = Files::new(folder.path().into());
    let before = served(&mut files).unwrap();
    fs::write(folder.path().join("tls.crt"), &second.serving.certificate).unwrap();
    let sentence = files.look().unwrap_err().to_string();
    assert!(sentence.contains("tls.crt and tls.key in "), "{sentence}");
    fs::write(folder.path().join("tls.key"), &second.serving.key.as_bytes()[..40]).unwrap();
    let sentence = files.look().unwrap_err().to_string();
    assert!(sentence.contains("no private key"), "{sentence}");
    assert!(!sentence.contains("PRIVATE"), "{sentence}");
    write(folder.path(), &second);
    assert_ne!(served(&mut files).unwrap(), before);
}

#[test]
fn links_are_followed_as_kubelet_swaps_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, content) in [("1", content()), ("2", content())] {
        fs::create_dir(at(version)).unwrap();
        write(&at(version), &content);
    }
    symlink("1", at("..data")).unwrap();
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        symlink(Path::new("..data").join(name), at(name)).unwrap();
    }
    let mut files = Files::new(folder.path().into());
    let before = served(&mut files).unwrap();
    symlink("2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    assert_ne!(served(&mut files).unwrap(), before);
}
