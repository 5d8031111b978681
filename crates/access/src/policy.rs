//! Who may call what: the rules together with what holds without one.

use crate::{Allowed, Rules};

/// What is served beside the function's methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// Server reflection.
    Reflection,
    /// `grpc.health.v1.Health`.
    Health,
    /// The OpenAPI document.
    OpenApi,
    /// Static files.
    Static,
}

/// Who may call what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What holds for methods without a rule.
    pub default: Allowed,
    /// Rules of methods and services.
    pub rules: Rules,
    /// Who may use server reflection.
    pub reflection: Allowed,
    /// Who may ask for health.
    pub health: Allowed,
    /// Who may read the OpenAPI document.
    pub openapi: Allowed,
    /// Who may read static files.
    pub static_files: Allowed,
}

impl Default for Policy {
    /// Everything is for anyone.
    fn default() -> Self {
        Policy {
            default: Allowed::anyone(),
            rules: Rules::default(),
            reflection: Allowed::anyone(),
            health: Allowed::anyone(),
            openapi: Allowed::anyone(),
            static_files: Allowed::anyone(),
        }
    }
}

impl Policy {
    /// Who may call a method: by its own rule; else no client if it is `for_events`; else by the rule of its service; else
    /// by the default.
    ///
    /// `for_events` tells that the method subscribes to events and has no HTTP rule. The rule of its service, written
    /// with the other methods in mind, does not open it.
    pub fn method(&self, service: &str, method: &str, for_events: bool) -> Allowed {
        let own = self.rules.of_method(service, method).cloned();
        own.or_else(|| for_events.then(Allowed::internal))
            .or_else(|| self.rules.of_service(service).cloned())
            .unwrap_or_else(|| self.default.clone())
    }

    /// Who may use what is served beside the function's methods.
    pub fn thing(&self, thing: Thing) -> &Allowed {
        match thing {
            Thing::Reflection => &self.reflection,
            Thing::Health => &self.health,
            Thing::OpenApi => &self.openapi,
            Thing::Static => &self.static_files,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rule_holds() {
        let policy = Policy {
            default: Allowed::authenticated(),
            rules: Rules::parse("a.B/C = token:ann; a.B/* = anyone; a.E/In = anyone").expect("well-formed"),
            ..Policy::default()
        };
        let method = |service, method, for_events| policy.method(service, method, for_events).to_string();
        assert_eq!(method("a.B", "C", false), "token:ann");
        assert_eq!(method("a.B", "D", false), "anyone");
        assert_eq!(method("a.X", "D", false), "authenticated");
        assert_eq!(method("a.X", "In", true), "internal");
        assert_eq!(
            method("a.B", "In", true),
            "internal",
            "a rule of the service does not open it"
        );
        assert_eq!(method("a.E", "In", true), "anyone", "its own rule does");
    }
}
