//! How bodies and replies of the bindings are converted between JSON and messages.

use std::sync::Arc;

use cloudstate_json::{Plan, Root};

use super::{HttpBinding, RequestBody};

/// The plans of a binding.
#[derive(Debug)]
pub(super) struct Plans {
    body: Option<Plan>,
    response: Plan,
}

/// Compiles the plans of all bindings, so that they share the types that they have in common.
pub(crate) fn compile(bindings: &[Arc<HttpBinding>]) {
    let roots = bindings.iter().flat_map(|binding| binding.roots());
    let mut plans = Plan::compile(roots).into_iter();
    for binding in bindings {
        let response = plans.next();
        let body = binding.body_root().and_then(|_| plans.next());
        if let Some(response) = response {
            binding.plans.get_or_init(|| Plans { body, response });
        }
    }
}

impl HttpBinding {
    /// How a body in JSON becomes the request message, or the record of the field that the body is; `None` where the body is
    /// ignored.
    pub fn body_plan(&self) -> Option<&Plan> {
        self.plans().body.as_ref()
    }

    /// How a reply message becomes the response body in JSON.
    pub fn response_plan(&self) -> &Plan {
        &self.plans().response
    }

    fn plans(&self) -> &Plans {
        self.plans.get_or_init(|| Plans {
            body: self.body_root().map(|root| Plan::new(&root)),
            response: Plan::new(&self.response_root()),
        })
    }

    fn roots(&self) -> impl Iterator<Item = Root> {
        [Some(self.response_root()), self.body_root()]
            .into_iter()
            .flatten()
    }

    fn response_root(&self) -> Root {
        match &self.response_body {
            None => Root::Message(self.method.output()),
            Some(field) => Root::Field(field.clone()),
        }
    }

    fn body_root(&self) -> Option<Root> {
        match &self.body {
            RequestBody::Ignored => None,
            RequestBody::Message => Some(Root::Message(self.method.input())),
            RequestBody::Field(field) => Some(Root::Field(field.clone())),
        }
    }
}
