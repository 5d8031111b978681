//! What changes are derived, and what the machine says.

mod changes;
mod machine;
mod normal_form;
