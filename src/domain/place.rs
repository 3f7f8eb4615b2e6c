//! Where a client stands that nobody has used.

use std::fmt;

/// One of so many places, given out in turn: who comes next stands where somebody stood the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(u32);

impl Place {
    /// The place with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The place of whoever comes as the `number`th, where there are so many `places`.
    #[must_use]
    pub fn in_turn(number: u64, places: usize) -> Self {
        let places = u32::try_from(places).unwrap_or(u32::MAX).max(1);
        Self(u32::try_from(number % u64::from(places)).unwrap_or_default())
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_113_places_are_given_out_in_turn() {
        let given = |places| (0..5).map(move |number| Place::in_turn(number, places).number());
        assert!(given(3).eq([0, 1, 2, 0, 1]));
        assert!(given(0).eq([0; 5]));
        assert_eq!(Place::in_turn(u64::MAX, usize::MAX).number(), 0, "a multiple of 2³² - 1");
    }
}
