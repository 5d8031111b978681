//! Lists of texts.

use super::Value;

/// Texts in order, none of them empty; a comma ends each but the last.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct List(Vec<String>);

impl List {
    /// The texts.
    pub fn items(&self) -> &[String] {
        &self.0
    }
}

impl Value for List {
    const KIND: &'static str = "LIST";
    const FORM: &'static str = "texts separated by commas, or an array of texts in the file";
    const LIST: bool = true;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
        (!items.iter().any(String::is_empty)).then_some(Self(items))
    }

    fn show(&self) -> String {
        self.0.join(",")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blanks_around_items_do_not_count() {
        let list = List::parse("a, b b ,c").expect("well-formed");
        assert_eq!(list.items(), ["a", "b b", "c"]);
        assert_eq!(List::parse(""), Some(List::default()));
    }

    #[test]
    fn empty_items_are_refused() {
        for text in [",", "a,", ",a", "a,,b", " , "] {
            assert_eq!(List::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(items in proptest::collection::vec("[a-z:/.]{1,8}", 0..5)) {
            let list = List(items);
            prop_assert_eq!(List::parse(&list.show()), Some(list));
        }
    }
}
