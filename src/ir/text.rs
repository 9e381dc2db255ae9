//! Text in rows of numbers.
//!
//! A row is numbers, so a piece of text becomes one: a word is a number that no data holds. A reader turns the texts of its file
//! (categories, fillings) into words through a [`Vocabulary`]; columns that hold text are looked up once, when a row comes in
//! ([`TextColumns`]), and everything behind them compares numbers.

use super::city;
use crate::error::{Error, Result};
use crate::limits;
use hashbrown::HashMap;

/// Bits that all words have: they are finite, at or below -8.98e307, where no data is.
const WORD: u64 = 0xffe0_0000_0000_0000;
/// Where the serial number of a word lies; below it are the low 32 bits of the `CityHash64` of the text.
const SERIAL: u32 = 32;
/// The serial number of text that a model does not know, and how many serial numbers there are.
const UNKNOWN: u64 = 0xf_ffff;

/// The number that stands for a text.
fn word(serial: u64, hash: u32) -> f64 {
    f64::from_bits(WORD | serial << SERIAL | u64::from(hash))
}

/// The low half of the hash of a text.
#[allow(clippy::cast_possible_truncation)]
#[must_use]
pub fn hash(text: &[u8]) -> u32 {
    city::hash(text) as u32
}

/// The number that stands for a text that no part of the model knows. It is no word of a [`Vocabulary`].
#[must_use]
pub fn unknown(text: &[u8]) -> f64 {
    word(UNKNOWN, hash(text))
}

/// Whether a number stands for a text.
#[inline]
#[must_use]
pub fn is_word(number: f64) -> bool {
    number <= f64::from_bits(WORD) && number > f64::NEG_INFINITY
}

/// The low half of the hash of the text that a number stands for.
#[allow(clippy::cast_possible_truncation)]
#[must_use]
pub fn word_hash(number: f64) -> Option<u32> {
    is_word(number).then_some(number.to_bits() as u32)
}

/// The texts of a model and the words that stand for them.
#[derive(Debug, Default)]
pub struct Vocabulary {
    words: HashMap<Box<str>, f64>,
    texts: HashMap<u64, Box<str>>,
    /// How many words there are for a hash.
    serials: HashMap<u32, u64>,
    /// Words whose text is the beginning of a longer one: how many characters that has.
    cuts: HashMap<u64, usize>,
}

impl Vocabulary {
    /// The word of a text, the same for the same text.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` when a file was made to hold a million texts of the same hash.
    pub fn word(&mut self, text: &str) -> Result<f64> {
        if let Some(&known) = self.words.get(text) {
            return Ok(known);
        }
        let hash = hash(text.as_bytes());
        let serial = self.serials.entry(hash).or_insert(0);
        if *serial == UNKNOWN {
            return Err(Error::limit(format!("{UNKNOWN} categories have the same hash")));
        }
        let number = word(*serial, hash);
        *serial += 1;
        self.texts.insert(number.to_bits(), text.into());
        self.words.insert(text.into(), number);
        Ok(number)
    }

    /// The word of a text of which a file holds the beginning only; `cut` has any number.
    ///
    /// # Errors
    /// Those of [`Vocabulary::word`].
    pub fn cut(&mut self, cut: &Cut) -> Result<f64> {
        let word = self.word(&cut.start)?;
        self.cuts.insert(word.to_bits(), cut.length);
        Ok(word)
    }

    /// The text behind a word that is the beginning of it.
    #[must_use]
    pub fn longer(&self, number: f64) -> Option<Cut> {
        let length = *self.cuts.get(&number.to_bits())?;
        Some(Cut { start: self.text(number)?.to_owned(), length, number })
    }

    /// The text of a word.
    #[must_use]
    pub fn text(&self, number: f64) -> Option<&str> {
        self.texts.get(&number.to_bits()).map(AsRef::as_ref)
    }

    /// Whether there are no words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// How a number is written where text is asked for: with and without a point when it is whole.
#[must_use]
pub fn spellings(number: f64) -> Vec<String> {
    let mut spellings = vec![format!("{number}"), format!("{number:?}")];
    spellings.dedup();
    spellings
}

/// What becomes of text that a column does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It is refused.
    Refused,
    /// It is a missing value.
    Missing,
    /// It stays text, which the parts behind it do not know.
    Kept,
}

/// What a number in a column of text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Nothing: it is refused.
    Refused,
    /// The code of a category.
    Codes,
    /// The text of its decimal digits.
    Digits,
    /// The column is not looked at.
    Unread,
}

/// A text of which a file holds the beginning only.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    /// Its beginning, or all of it.
    pub start: String,
    /// How many characters it has, if that is not all of it.
    pub length: usize,
    /// The number that it becomes.
    pub number: f64,
}

impl Cut {
    fn is(&self, text: &str) -> bool {
        text == self.start || text.starts_with(&self.start) && text.chars().count() == self.length
    }
}

/// A column that holds text.
#[derive(Debug, Clone)]
pub struct TextColumn {
    column: u32,
    known: HashMap<Box<str>, f64>,
    cut: Option<Cut>,
    unknown: Unknown,
    numbers: Numbers,
    missing: bool,
}

impl TextColumn {
    /// A column of a caller's row; `known` are texts and the numbers that they become, the first of two equal ones counts.
    /// `missing` says whether it may be missing.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` without memory.
    pub fn new(
        column: u32,
        known: impl ExactSizeIterator<Item = (String, f64)>,
        unknown: Unknown,
        numbers: Numbers,
        missing: bool,
    ) -> Result<Self> {
        limits::check("categories", known.len(), limits::CATEGORIES)?;
        let mut table: HashMap<Box<str>, f64> = HashMap::new();
        table
            .try_reserve(known.len())
            .map_err(|_| Error::limit(format!("no memory for {} categories", known.len())))?;
        for (text, number) in known {
            table.entry(text.into_boxed_str()).or_insert(number);
        }
        Ok(Self { column, known: table, cut: None, unknown, numbers, missing })
    }

    /// The same, with one more text of which the beginning is known.
    #[must_use]
    pub fn with_cut(self, cut: Option<Cut>) -> Self {
        Self { cut, ..self }
    }

    /// Column of the caller's row.
    #[must_use]
    pub fn column(&self) -> u32 {
        self.column
    }

    fn find(&self, text: &[u8]) -> Option<f64> {
        let text = std::str::from_utf8(text).ok()?;
        let cut = || self.cut.as_ref().filter(|cut| cut.is(text)).map(|cut| cut.number);
        self.known.get(text).copied().or_else(cut)
    }

    /// Whether a text is one of those that it knows.
    #[must_use]
    pub fn knows(&self, text: &[u8]) -> bool {
        self.find(text).is_some()
    }

    /// The number that a text becomes; `None`: it is refused.
    #[inline]
    #[must_use]
    pub fn number(&self, text: &[u8]) -> Option<f64> {
        match (self.find(text), self.unknown) {
            (Some(number), _) => Some(number),
            (None, Unknown::Refused) => None,
            (None, Unknown::Missing) => Some(f64::NAN),
            (None, Unknown::Kept) => Some(unknown(text)),
        }
    }

    /// The texts that it knows, in no order.
    pub fn known(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.known.iter().map(|(text, &number)| (&**text, number))
    }

    /// Whether some of the texts that it knows are numbers.
    #[must_use]
    pub fn knows_numbers(&self) -> bool {
        self.known.keys().any(|text| text.parse::<f64>().is_ok())
    }

    /// One more text, of which the beginning is known.
    #[must_use]
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// What becomes of other text.
    #[must_use]
    pub fn unknown(&self) -> Unknown {
        self.unknown
    }

    /// Whether it refuses text.
    #[must_use]
    pub fn may_refuse(&self) -> bool {
        self.unknown == Unknown::Refused
    }

    /// What numbers stand for.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// Whether it may be missing.
    #[must_use]
    pub fn may_miss(&self) -> bool {
        self.missing
    }
}

/// The columns of a row that hold text.
#[derive(Debug, Clone, Default)]
pub struct TextColumns {
    features: usize,
    columns: Vec<TextColumn>,
    unread: Vec<u32>,
}

impl TextColumns {
    /// These columns, and those that no part of the model looks at, of `features`.
    ///
    /// # Errors
    /// `MI_MALFORMED` when columns are not in ascending order or not there.
    pub fn new(features: usize, columns: Vec<TextColumn>, unread: Vec<u32>) -> Result<Self> {
        if !ascending(columns.iter().map(TextColumn::column), features) || !ascending(unread.iter().copied(), features)
        {
            return Err(Error::malformed(format!("columns of text are not {features} columns in ascending order")));
        }
        Ok(Self { features, columns, unread })
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// The columns, in ascending order.
    #[must_use]
    pub fn columns(&self) -> &[TextColumn] {
        &self.columns
    }

    /// Columns that no part of the model looks at, in ascending order.
    #[must_use]
    pub fn unread(&self) -> &[u32] {
        &self.unread
    }
}

/// Whether columns ascend and stay below `features`.
fn ascending(mut columns: impl Iterator<Item = u32>, features: usize) -> bool {
    let mut least = 0;
    columns.all(|column| {
        let fits = column >= least && (column as usize) < features;
        least = column.saturating_add(1);
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_no_data() {
        let mut vocabulary = Vocabulary::default();
        let words = ["", "a", "b", "grün"].map(|text| vocabulary.word(text).unwrap());
        assert_eq!(vocabulary.word("b").unwrap().to_bits(), words[2].to_bits());
        assert_eq!(vocabulary.text(words[3]), Some("grün"));
        for (index, word) in words.iter().enumerate() {
            assert!(is_word(*word) && word.is_finite());
            assert!(words[..index].iter().all(|other| other.to_bits() != word.to_bits()));
        }
        assert_eq!(word_hash(words[1]), Some(hash(b"a")));
        assert_eq!(word_hash(unknown(b"x")), Some(hash(b"x")));
        assert!(vocabulary.text(unknown(b"a")).is_none(), "the same hash, another word");
        for number in [0.0, -0.0, -1.0, f64::NAN, -f64::NAN, f64::NEG_INFINITY, f64::INFINITY, f64::MAX, -8.9e307] {
            assert!(!is_word(number), "{number}");
        }
    }

    #[test]
    fn columns_know_their_texts() {
        let known = || vec![("a".to_owned(), 0.0), ("b".to_owned(), 1.0), ("a".to_owned(), 2.0)].into_iter();
        let column = |unknown| TextColumn::new(1, known(), unknown, Numbers::Codes, true).unwrap();
        assert_eq!(column(Unknown::Refused).number(b"a"), Some(0.0), "the first of two equal texts counts");
        assert_eq!(column(Unknown::Refused).number(b"c"), None);
        assert!(column(Unknown::Missing).number(b"c").is_some_and(f64::is_nan));
        assert!(column(Unknown::Kept).number(b"\xff").is_some_and(is_word));
        assert!(TextColumns::new(1, vec![column(Unknown::Refused)], vec![]).is_err());
        assert!(TextColumns::new(2, vec![column(Unknown::Refused)], vec![0]).is_ok());
        assert!(TextColumns::new(3, vec![], vec![2, 2]).is_err());
    }
}
