use std::{pin::pin, sync::mpsc, time::Instant};

use futures::{future::join_all, poll};

use super::*;

fn text(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

async fn verifies(password: &str, hash: &str) -> bool {
    Hasher::new(1).verify(text(password), text(hash)).await.unwrap()
}

#[tokio::test]
async fn a_password_and_no_other_verifies_against_its_hash() {
    let hasher = Hasher::new(2);
    let words = "correct horse battery staple";
    for (function, algorithm, beginning, length) in [
        (HashFunction::Argon2, "argon2id", "$argon2id$v=19$m=19456,t=2,p=1$", 31 + 22 + 1 + 43),
        (HashFunction::Bcrypt, "bcrypt", "$2b$12$", 60),
    ] {
        let began = Instant::now();
        let made = hasher.hash(text(words), function).await.unwrap();
        println!("{algorithm} took {:.0?}", began.elapsed());
        assert_eq!(made.algorithm, algorithm);
        assert!(made.phc.starts_with(beginning), "{}", *made.phc);
        assert_eq!(made.phc.len(), length);
        assert!(hasher.verify(text(words), made.phc.clone()).await.unwrap());
        for other in ["", "correct horse battery stapl", "Correct horse battery staple"] {
            assert!(!hasher.verify(text(other), made.phc.clone()).await.unwrap(), "{other}");
        }
        let again = hasher.hash(text(words), function).await.unwrap();
        assert_ne!(again, made, "the salt is another");
        assert_eq!(format!("{made:?}"), format!("Hashed {{ algorithm: {algorithm:?}, .. }}"));
    }
}

/// Made by OpenSSL 3 (through Python's cryptography), those of `somesalt` also by the reference
/// implementation (its src/test.c), from which the one without a version is.
#[tokio::test]
async fn hashes_of_other_implementations_of_argon2_verify() {
    for (password, hash) in [
        (
            "correct horse battery staple",
            "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$gYJZtjEAJqjg26xdLmknq8/bB7MiWPrE9hsYuA+SkIU",
        ),
        (
            "pässwörd 🔑",
            "$argon2id$v=19$m=7168,t=5,p=1$AAECAwQFBgcICQoLDA0ODw$e+/ue2twuDn/f6OuTD4+r9JBBGg/pqMGPBkuYVaqBkk",
        ),
        (
            "password",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ),
        (
            "password",
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        ),
        (
            "password",
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
        ),
        (
            "password",
            "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        ),
        (
            "password",
            "$argon2d$v=19$m=64,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$vJSqk0QDyOhaTOtmHGHguQCwDy+B4xmRW5yesoclM1G9CNlotcAV/Y57/+9FuZF2wK2VdK5w7xdTPCnLt/+l0A",
        ),
        ("", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$aMVz6FswBZGnjcZ4WW8WdQ"),
    ] {
        assert!(verifies(password, hash).await, "{hash}");
        assert!(!verifies("passwore", hash).await, "{hash}");
    }
}

/// Those of `crypt_blowfish` and OpenBSD, and others made by libxcrypt.
#[tokio::test]
async fn hashes_of_other_implementations_of_bcrypt_verify() {
    let x72 = "x".repeat(72);
    for (password, hash) in [
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
        (
            "correct horse battery staple",
            "$2b$12$abcdefghijklmnopqrstuu0sDWleciW5uGBGYwxpcgAsh9WK4bWNy",
        ),
        ("pässwörd 🔑", "$2y$06$abcdefghijklmnopqrstuuSskZbDLG58uOJUdReLArkoV0SHH.ble"),
        (&x72, "$2b$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q"),
    ] {
        assert!(verifies(password, hash).await, "{hash}");
        assert!(!verifies("U*V", hash).await, "{hash}");
    }
}

#[tokio::test]
async fn bcrypt_takes_72_bytes_and_not_one_more() {
    let hasher = Hasher::new(1);
    let longest = "é".repeat(36);
    let made = hasher.hash(text(&longest), HashFunction::Bcrypt).await.unwrap();
    assert!(verifies(&longest, &made.phc).await);
    assert!(!verifies(&"é".repeat(35), &made.phc).await);
    assert!(verifies(&format!("{longest}ignored"), &made.phc).await);
    let longer = hasher.hash(text(&format!("{longest}x")), HashFunction::Bcrypt).await;
    assert_eq!(longer, Err(HashError::TooLong));
    assert!(hasher.hash(text(&format!("{longest}x")), HashFunction::Argon2).await.is_ok());
}

/// Each is the hash of "password" or "a" indeed, by OpenSSL and libxcrypt.
#[tokio::test]
async fn what_takes_too_much_to_verify_is_the_hash_of_another_password() {
    for (password, hash, expected) in [
        // 256 MiB and one KiB more, 16 passes and 17.
        ("password", "$argon2id$v=19$m=262144,t=1,p=4$c29tZXNhbHQ$Bt9wKVCP7guz5IneCVa9IQ", true),
        ("password", "$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$ogMGc6p0X4Ws9STWBr/T9w", false),
        ("password", "$argon2id$v=19$m=8,t=16,p=1$c29tZXNhbHQ$XRNUolZ5BFRo1VTDoR0LVA", true),
        ("password", "$argon2id$v=19$m=8,t=17,p=1$c29tZXNhbHQ$wi9LA5cDIYjbLs+06mLjrA", false),
        ("a", "$2b$04$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC", true),
        ("a", "$2b$17$abcdefghijklmnopqrstuu4PcrDKthDugYXxev26pUcFYAEQ8s3dm", false),
        ("a", "$2x$04$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC", false),
    ] {
        assert_eq!(verifies(password, hash).await, expected, "{hash}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_the_hash_of_another_password() {
    for hash in [
        "",
        "$",
        "a",
        "password",
        "$argon2id",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=8,t=1,p=1$$XRNUolZ5BFRo1VTDoR0LVA",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$XRNUolZ5BFRo1VTDoR0LV!",
        "$argon2id$v=20$m=8,t=16,p=1$c29tZXNhbHQ$XRNUolZ5BFRo1VTDoR0LVA",
        "$argon2id$v=19$m=8,t=0,p=1$c29tZXNhbHQ$XRNUolZ5BFRo1VTDoR0LVA",
        "$argon2id$v=19$m=7,t=1,p=1$c29tZXNhbHQ$XRNUolZ5BFRo1VTDoR0LVA",
        "$argon2id$v=19$m=8,t=1,p=2$c29tZXNhbHQ$XRNUolZ5BFRo1VTDoR0LVA",
        "$argon2id$v=19$m=8,t=1,p=4294967295$c29tZXNhbHQ$XRNUolZ5BFRo1VTDoR0LVA",
        "$argon2x$v=19$m=8,t=16,p=1$c29tZXNhbHQ$XRNUolZ5BFRo1VTDoR0LVA",
        "$2b$04$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9J",
        "$2b$04$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JCC",
        "$2b$03$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC",
        "$2b$-4$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC",
        "$2b$xx$abcdefghijklmnopqrstuuMFdJu9yVgmagVAIC24fOZkaFqd3s9JC",
        "$2b$04$äbcdefghijklmnopqrstuMFdJu9yVgmagVAIC24fOZkaFqd3s9JCC",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "$pbkdf2-sha256$i=600000$c29tZXNhbHQ$XRNUolZ5BFRo1VTDoR0LVA",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz1",
    ] {
        for password in ["a", "password"] {
            assert!(!verifies(password, hash).await, "{hash}");
        }
    }
}

/// A memory is lent to one computation at a time and kept for good, so as many are kept as were in
/// use at once.
#[tokio::test]
async fn as_many_hashes_as_there_are_places_are_computed_at_a_time() {
    let hasher = Hasher::new(2);
    let phc = hasher.hash(text("password"), HashFunction::Argon2).await.unwrap().phc;
    assert_eq!(hasher.memories.idle().len(), 1);
    let made = join_all((0..8).map(|_| hasher.hash(text("password"), HashFunction::Argon2)));
    let verifications = join_all((0..8).map(|_| hasher.verify(text("password"), phc.clone())));
    let (made, verifications) = futures::join!(made, verifications);
    assert!(made.iter().all(Result::is_ok));
    assert_eq!(verifications, vec![Ok(true); 8]);
    assert_eq!(hasher.memories.idle().len(), 2);

    // One that takes more than ours is not kept.
    let large = "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ";
    assert!(hasher.verify(text("password"), text(large)).await.unwrap());
    let idle = hasher.memories.idle();
    assert_eq!(idle.len(), 2);
    for memory in idle.iter() {
        assert_eq!(memory.len(), 19_456);
        let is_wiped = memory.iter().all(|block| block.as_ref().iter().all(|word| *word == 0));
        assert!(is_wiped);
    }
}

#[tokio::test]
async fn a_caller_that_has_lost_interest_frees_no_place_before_the_work_is_done() {
    let hasher = Hasher::new(1);
    let (finish, finished) = mpsc::channel::<()>();
    {
        let mut work = pin!(hasher.compute(move |_| finished.recv()));
        assert!(poll!(&mut work).is_pending());
    }
    assert_eq!(hasher.places.available_permits(), 0);
    finish.send(()).unwrap();
    assert!(hasher.verify(text("a"), text("no hash")).await.is_ok());
    assert_eq!(hasher.places.available_permits(), 1);
}

#[tokio::test]
async fn a_computation_that_breaks_off_frees_its_place() {
    let hasher = Hasher::new(0);
    assert_eq!(hasher.places.available_permits(), 1);
    let broken = hasher.compute(|_| std::panic::resume_unwind(Box::new("no word of it"))).await;
    assert_eq!(broken, Err::<(), _>(HashError::Interrupted));
    assert!(hasher.hash(text("password"), HashFunction::Argon2).await.is_ok());
}
