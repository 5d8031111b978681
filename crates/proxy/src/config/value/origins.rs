//! Web origins: `https://shop.example.com, localhost`.

use cloudstate_gateway::Origins;

use super::Value;

impl Value for Origins {
    const KIND: &'static str = "ORIGINS";
    const LIST: bool = true;
    const FORM: &'static str = "origins such as `https://shop.example.com`, separated by commas, or `*`";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}
