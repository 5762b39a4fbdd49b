//! Valid objects with a few random changes: whatever they are, the local check says of them
//! what the API server says.

use serde_json::{Value, json};

use super::{
    examples,
    samples::{KINDS, largest, object, spec_schema},
    server::{Case, Expect},
};

/// A generator of numbers that are the same in every run (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// The largest Tenant that the schema takes.
pub fn largest_tenant() -> Value {
    object("Tenant", "large", largest(&spec_schema("Tenant"), "spec"))
}

/// So many objects, each with one to three changes.
pub fn cases(count: usize) -> Vec<Case> {
    let mut random = Random(20_261_122);
    let mut bases: Vec<Value> =
        examples::documents().into_iter().map(|(_, document)| document).collect();
    for (kind, _) in KINDS {
        let mut spec = largest(&spec_schema(kind), "spec");
        shorten(&mut spec);
        bases.push(object(kind, "sample", spec));
    }
    let intact = bases.clone().into_iter().map(|base| case("intact", base, Expect::Accepted));
    let changed = (0..count).map(|number| {
        let mut object = random.of(&bases).clone();
        for _ in 0..=random.below(3) {
            change(&mut random, &mut object["spec"]);
        }
        case(&format!("change {number}"), object, Expect::Anything)
    });
    intact.chain(changed).collect()
}

fn case(what: &str, object: Value, expect: Expect) -> Case {
    Case { what: what.into(), object, old: None, expect }
}

/// So that a change meets every field about as often.
fn shorten(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.truncate(3);
            items.iter_mut().for_each(shorten);
        }
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        _ => {}
    }
}

/// Goes down at random and changes what is there.
fn change(random: &mut Random, value: &mut Value) {
    let goes_on = random.below(8) > 0;
    match value {
        Value::Object(fields) if !fields.is_empty() && goes_on => {
            let names: Vec<_> = fields.keys().cloned().collect();
            let name = random.of(&names);
            match random.below(24) {
                0 => drop(fields.remove(name)),
                1 => drop(fields.insert(odd_text(random), odd_value(random))),
                2 => drop(fields.insert(format!("{name}{}", odd_text(random)), json!("x"))),
                3 => {
                    let value = fields[random.of(&names)].clone();
                    fields.insert(name.clone(), value);
                }
                _ => change(random, fields.get_mut(name).unwrap()),
            }
        }
        Value::Array(items) if !items.is_empty() && goes_on => {
            let index = random.below(items.len());
            match random.below(8) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                2 => items.insert(index, odd_value(random)),
                _ => change(random, &mut items[index]),
            }
        }
        Value::String(text) if random.below(2) == 0 => {
            let at = random.below(text.chars().count() + 1);
            let (before, after): (String, String) =
                (text.chars().take(at).collect(), text.chars().skip(at).collect());
            *text = match random.below(3) {
                0 => format!("{before}{}{after}", odd_text(random)),
                1 => format!("{before}{}", after.chars().skip(1).collect::<String>()),
                _ => text.repeat(2),
            };
        }
        Value::Number(number) if random.below(2) == 0 => {
            let number = number.as_i64().unwrap_or_default();
            *value = match random.below(4) {
                0 => (number + 1).into(),
                1 => (number - 1).into(),
                2 => (-number).into(),
                #[allow(clippy::cast_precision_loss, reason = "small")]
                _ => (number as f64 / 2.0).into(),
            };
        }
        _ => *value = odd_value(random),
    }
}

fn odd_text(random: &mut Random) -> String {
    const TEXTS: [&str; 44] = [
        "",
        "a",
        "A",
        "0",
        "-",
        ".",
        "_",
        "/",
        "*",
        " ",
        "\n",
        "\t",
        "\u{0}",
        "\u{1b}",
        "é",
        "😀",
        "\u{202e}",
        "null",
        "true",
        "acme",
        "master",
        "a.b",
        "a/b",
        "a@b",
        "@",
        "https://a",
        "http://",
        "1h",
        "0s",
        "59s",
        "90m",
        "1h30m",
        "999999h",
        "1d",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.5+03:00",
        "2026-01-01",
        "192.0.2.1",
        "192.0.2.0/24",
        "2001:db8::/32",
        "::ffff:192.0.2.1",
        "fe80::1%eth0",
        "RS256",
        "settings.ttl",
    ];
    (*random.of(&TEXTS)).to_owned()
}

fn odd_value(random: &mut Random) -> Value {
    let numbers = [
        json!(0),
        json!(1),
        json!(-1),
        json!(4),
        json!(5),
        json!(32),
        json!(33),
        json!(128),
        json!(129),
        json!(250),
        json!(2048),
        json!(i32::MAX),
        json!(i64::from(i32::MAX) + 1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1.0),
        json!(-0.0),
        json!(0.5),
        json!(1e10),
        json!(1e300),
    ];
    match random.below(10) {
        0 => Value::Null,
        1 => json!(random.below(2) == 0),
        2..5 => random.of(&numbers).clone(),
        5 => json!([]),
        6 => json!({}),
        7 => json!([odd_text(random)]),
        8 => json!({odd_text(random): odd_text(random)}),
        _ => odd_text(random).into(),
    }
}

/// Where the local check may differ: it takes no integer that is written with a point.
pub fn may_differ(case: &Case) -> bool {
    fn has_point(value: &Value) -> bool {
        match value {
            Value::Number(number) => {
                number.as_f64().is_some_and(|float| number.is_f64() && float.fract() == 0.0)
            }
            Value::Array(items) => items.iter().any(has_point),
            Value::Object(fields) => fields.values().any(has_point),
            _ => false,
        }
    }
    has_point(&case.object["spec"])
}
