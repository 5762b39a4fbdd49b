//! When certificates are made anew: a pure decision.

use jiff::Timestamp;

/// How long a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Life {
    /// Whether a third of it is left or less, or it has not begun.
    #[must_use]
    pub fn needs_renewal(&self, now: Timestamp) -> bool {
        let third = self.until.duration_since(self.from) / 3;
        now < self.from || self.until.duration_since(now) <= third
    }
}

/// What there is, as far as it is of use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The authority that signs; none if there is none whose key is there.
    pub authority: Option<Life>,
    /// The certificate that is served; none if there is none for all the names, or nobody is told to
    /// trust it.
    pub serving: Option<Life>,
    /// Former authorities, which are trusted until they end.
    pub former: Vec<Life>,
}

/// What is to be made anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The authority.
    pub authority: bool,
    /// The certificate that is served.
    pub serving: bool,
    /// The list of those that are trusted, because a former authority has ended.
    pub bundle: bool,
}

impl Due {
    /// Whether there is anything to do.
    #[must_use]
    pub fn any(self) -> bool {
        self.authority || self.serving || self.bundle
    }
}

/// Decides what is to be made anew.
///
/// An authority lives longer than what it signs: when it is renewed, what it signed is still good, and
/// goes on being served, so that everybody has learned to trust the new one long before it is needed.
#[must_use]
pub fn needs_renewal(now: Timestamp, held: &Held) -> Due {
    let is_due = |life: Option<Life>| life.is_none_or(|life| life.needs_renewal(now));
    Due {
        authority: is_due(held.authority),
        serving: is_due(held.serving),
        bundle: held.former.iter().any(|former| former.until <= now),
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    fn at(day: i64) -> Timestamp {
        let start: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        start + (day * 24).hours()
    }

    fn life(from: i64, until: i64) -> Life {
        Life { from: at(from), until: at(until) }
    }

    #[test]
    fn a_third_before_the_end_is_the_time() {
        let life = life(0, 90);
        for (day, due) in
            [(-1, true), (0, false), (59, false), (60, true), (89, true), (90, true), (500, true)]
        {
            assert_eq!(life.needs_renewal(at(day)), due, "day {day}");
        }
    }

    #[test]
    fn each_part_is_renewed_for_itself() {
        let held = |authority, serving, former: &[Life]| Held {
            authority: Some(authority),
            serving: Some(serving),
            former: former.to_vec(),
        };
        let (long, short) = (life(0, 365), life(0, 90));
        let nothing = Due::default();
        let cases = [
            (10, held(long, short, &[]), nothing),
            (70, held(long, short, &[]), Due { serving: true, ..nothing }),
            (244, held(long, life(230, 320), &[]), Due { authority: true, ..nothing }),
            (244, held(life(240, 605), life(230, 320), &[long]), nothing),
            (365, held(life(240, 605), life(350, 440), &[long]), Due { bundle: true, ..nothing }),
            (10, Held::default(), Due { authority: true, serving: true, bundle: false }),
        ];
        for (day, held, due) in cases {
            assert_eq!(needs_renewal(at(day), &held), due, "day {day}, {held:?}");
        }
    }
}
