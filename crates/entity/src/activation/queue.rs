//! The commands that wait for one entity, in order and within limits.

use std::collections::VecDeque;

use crate::turn::{Caller, Command};

/// How much may wait for one entity.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Waiting commands, the one in hand not counted.
    pub queued_commands: usize,
    /// Bytes of the payloads of waiting commands.
    pub queued_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Queue<C> {
    commands: VecDeque<Command<C>>,
    bytes: usize,
    limits: Limits,
}

impl<C> Queue<C> {
    pub(super) fn new(limits: Limits) -> Self {
        Queue {
            commands: VecDeque::new(),
            bytes: 0,
            limits,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.commands.len()
    }

    pub(super) fn push(&mut self, command: Command<C>) {
        self.bytes += command.bytes();
        self.commands.push_back(command);
    }

    pub(super) fn front(&self) -> Option<&C> {
        self.commands.front().map(|command| &command.caller)
    }

    pub(super) fn pop(&mut self) -> Option<Command<C>> {
        let command = self.commands.pop_front()?;
        self.bytes -= command.bytes();
        if self.commands.is_empty() {
            // An idle entity keeps no mailbox.
            self.commands = VecDeque::new();
        }
        Some(command)
    }

    /// Why there is no room for the command, if there is none.
    pub(super) fn refusal(&self, command: &Command<C>, entity_id: &str) -> Option<String> {
        let Limits {
            queued_commands,
            queued_bytes,
        } = self.limits;
        if self.commands.len() >= queued_commands {
            Some(format!(
                "{queued_commands} commands already wait for entity [{entity_id}], the limit of its queue"
            ))
        } else if self.bytes + command.bytes() > queued_bytes {
            Some(format!(
                "commands of more than {queued_bytes} bytes wait for entity [{entity_id}], the limit of its queue"
            ))
        } else {
            None
        }
    }
}

impl<C: Caller> Queue<C> {
    /// Whether anybody waits for an answer. Drops commands in front whose callers are gone.
    pub(super) fn is_awaited(&mut self) -> bool {
        while self
            .commands
            .front()
            .is_some_and(|command| command.caller.is_gone())
        {
            self.pop();
        }
        !self.commands.is_empty()
    }
}
