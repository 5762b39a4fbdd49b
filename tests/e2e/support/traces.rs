//! Finds private keys in anything, in whatever form: each secret number of a key, as raw bytes, in
//! hexadecimal, as decimal bytes, in both alphabets of base64 (also from within something longer), as
//! PEM, and as the base64 of PEM that Secrets hold. Short pieces are enough: what is cut off is found too.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// How long the pieces are: 64 bits of a key at least, or four of its bytes in decimal.
const PIECE: usize = 16;
/// What a line of PEM holds.
const LINE: usize = 64;

/// What is looked for.
#[derive(Default)]
pub struct Traces {
    pieces: HashMap<[u8; PIECE], String>,
    /// Whether a piece begins so; the map would be asked for each byte of what is searched.
    begins: Vec<bool>,
}

impl Traces {
    /// Of these private keys (PKCS#8 as PEM, by kid).
    pub fn of(keys: &BTreeMap<String, String>) -> Self {
        let mut traces = Self::default();
        for (kid, pem) in keys {
            let lines: Vec<_> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
            let der = STANDARD.decode(lines.concat()).unwrap();
            for (name, range) in secret_parts(&der) {
                let what = format!("{name} of {kid}");
                traces.look_for(&what, &der[range.clone()]);
                // The same within the lines of PEM; four characters of it stand for three bytes.
                let (begin, end) = (range.start.div_ceil(3) * 4, range.end / 3 * 4);
                for (number, line) in lines.iter().enumerate() {
                    let at = |place: usize| {
                        place.clamp(number * LINE, (number + 1) * LINE) - number * LINE
                    };
                    let part = &line[at(begin).min(line.len())..at(end).min(line.len())];
                    traces.look_for(&format!("{what} in PEM"), part.as_bytes());
                }
            }
        }
        traces
    }

    /// Looks for these bytes, in every form.
    pub fn look_for(&mut self, what: &str, bytes: &[u8]) {
        self.add(&format!("{what}, raw"), bytes);
        let hex = hex(bytes);
        // From the end, as numbers are cut into words.
        self.add(&format!("{what}, hex"), &hex.as_bytes()[hex.len() % PIECE..]);
        self.add(&format!("{what}, HEX"), &hex.to_uppercase().as_bytes()[hex.len() % PIECE..]);
        for bytes in bytes.chunks(8) {
            let decimal = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
            self.add(&format!("{what}, decimal"), &decimal.as_bytes()[..decimal.len().min(PIECE)]);
        }
        for begin in 0..bytes.len().min(3) {
            // Only whole triples: the characters of others depend on what follows.
            let triples = &bytes[begin..];
            let triples = &triples[..triples.len() / 3 * 3];
            let standard = STANDARD_NO_PAD.encode(triples);
            let url_safe = URL_SAFE_NO_PAD.encode(triples);
            self.add(&format!("{what}, base64"), standard.as_bytes());
            self.add(&format!("{what}, base64url"), url_safe.as_bytes());
        }
    }

    fn add(&mut self, what: &str, text: &[u8]) {
        self.begins.resize(1 << 24, false);
        for piece in text.chunks_exact(PIECE) {
            let piece: [u8; PIECE] = piece.try_into().unwrap();
            self.begins[beginning(&piece)] = true;
            self.pieces.insert(piece, what.to_owned());
        }
    }

    /// What there is of it in a text: in words, with what stands before it.
    pub fn find(&self, text: &[u8]) -> Option<String> {
        let mut places = text.windows(PIECE).enumerate();
        places.find_map(|(at, place)| {
            if !self.begins[beginning(place)] {
                return None;
            }
            let before = String::from_utf8_lossy(&text[at.saturating_sub(300)..at]);
            self.pieces.get(place).map(|what| format!("{what}, after {before:?}"))
        })
    }
}

/// In hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn beginning(piece: &[u8]) -> usize {
    usize::from(piece[0]) << 16 | usize::from(piece[1]) << 8 | usize::from(piece[2])
}

/// Where the secret numbers are in a private key (RFC 5958): those of RSA (RFC 8017), the scalar of
/// a curve (RFC 5915), or the seed of Ed25519 (RFC 8410). The public ones beside them are no secret.
fn secret_parts(der: &[u8]) -> Vec<(&'static str, Range<usize>)> {
    let (_, info) = element(der, 0);
    let octets = elements(der, info)[2].1.clone();
    let (tag, key) = element(der, octets.start);
    if tag == 0x04 {
        return vec![("seed", key)];
    }
    let fields = elements(der, key);
    if fields.len() < 9 {
        return vec![("scalar", fields[1].1.clone())];
    }
    let names = ["d", "p", "q", "dp", "dq", "qinv"];
    names.into_iter().zip(fields[3..].iter().map(|(_, range)| range.clone())).collect()
}

/// What is in a sequence: tag and content of each.
fn elements(der: &[u8], sequence: Range<usize>) -> Vec<(u8, Range<usize>)> {
    let (mut all, mut at) = (Vec::new(), sequence.start);
    while at < sequence.end {
        let (tag, content) = element(der, at);
        at = content.end;
        all.push((tag, content));
    }
    all
}

/// The element that begins there: its tag and where its content is.
fn element(der: &[u8], at: usize) -> (u8, Range<usize>) {
    let (tag, first) = (der[at], usize::from(der[at + 1]));
    let (length, begin) = if first < 0x80 {
        (first, at + 2)
    } else {
        let bytes = &der[at + 2..at + 2 + (first & 0x7f)];
        (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), at + 2 + bytes.len())
    };
    (tag, begin..begin + length)
}
