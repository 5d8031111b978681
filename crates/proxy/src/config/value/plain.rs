//! Numbers, switches, paths, and values that may be absent.

use std::path::PathBuf;

use super::Value;

/// Whole numbers in decimal digits.
macro_rules! whole_numbers {
    ($($ty:ty, $kind:literal, $form:literal;)*) => {$(
        impl Value for $ty {
            const KIND: &'static str = $kind;
            const FORM: &'static str = $form;
            const BARE: bool = true;

            fn parse(text: &str) -> Option<Self> {
                let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| text.parse().ok())?
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

whole_numbers! {
    u16, "PORT", "a port number";
    u32, "NUMBER", "a whole number";
    usize, "NUMBER", "a whole number";
}

impl Value for f64 {
    const KIND: &'static str = "NUMBER";
    const FORM: &'static str = "a number";
    const BARE: bool = true;

    fn parse(text: &str) -> Option<Self> {
        let number: Self = text.parse().ok()?;
        number.is_finite().then_some(number)
    }

    fn show(&self) -> String {
        // `Debug` keeps the point in `1.0`, which the file format needs to tell a float.
        format!("{self:?}")
    }
}

impl Value for bool {
    const KIND: &'static str = "BOOL";
    const FORM: &'static str = "`true` or `false`";
    const BARE: bool = true;

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const KIND: &'static str = "TEXT";
    const FORM: &'static str = "a text that is not empty";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    const KIND: &'static str = "PATH";
    const FORM: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

/// Empty text is "none".
impl<T: Value> Value for Option<T> {
    const KIND: &'static str = T::KIND;
    const FORM: &'static str = T::FORM;
    const BARE: bool = T::BARE;
    const LIST: bool = T::LIST;
    const TABLE: bool = T::TABLE;

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            Some(None)
        } else {
            T::parse(text).map(Some)
        }
    }

    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }
}
