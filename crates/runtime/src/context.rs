//! Where a command comes from: how often it was forwarded, and by whom.

use std::sync::Arc;

use cloudstate_catalog::Method;

/// The chain of forwards and effects behind a call. Cheap to clone; empty for a client's call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    chain: Option<Arc<Link>>,
}

#[derive(Debug)]
struct Link {
    how: How,
    from: Arc<Method>,
    before: Context,
    length: usize,
}

/// Why a command calls another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Forward,
    Effect,
}

impl Context {
    /// The context of a command that `from` forwards to, or causes as a side effect.
    pub(crate) fn followed(&self, how: How, from: &Arc<Method>) -> Context {
        let link = Link {
            how,
            from: from.clone(),
            before: self.clone(),
            length: self.length() + 1,
        };
        Context {
            chain: Some(Arc::new(link)),
        }
    }

    /// Forwards and effects behind this call.
    pub(crate) fn length(&self) -> usize {
        self.chain.as_ref().map_or(0, |link| link.length)
    }

    /// The chain as text, innermost first, each on a line of its own.
    pub(crate) fn trace(&self) -> String {
        let mut text = String::new();
        let mut next = self;
        while let Some(link) = &next.chain {
            let how = match link.how {
                How::Forward => "forwarded from",
                How::Effect => "side-effect of",
            };
            text.push_str(&format!(
                "\n  {how} {}.{}",
                link.from.service.name, link.from.name
            ));
            next = &link.before;
        }
        text
    }
}
