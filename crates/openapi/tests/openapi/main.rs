//! Documents of whole APIs, and of one rule at a time.

mod conforming;
mod library;
mod rules;
mod support;
