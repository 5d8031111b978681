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
pub(crate) struct Queue<C> {
    commands: VecDeque<Command<C>>,
    bytes: usize,
    limits: Limits,
}

impl<C> Queue<C> {
    pub(crate) fn new(limits: Limits) -> Self {
        Queue {
            commands: VecDeque::new(),
            bytes: 0,
            limits,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }

    pub(crate) fn push(&mut self, command: Command<C>) {
        self.bytes += command.bytes();
        self.commands.push_back(command);
    }

    pub(crate) fn front(&self) -> Option<&C> {
        self.commands.front().map(|command| &command.caller)
    }

    pub(crate) fn pop(&mut self) -> Option<Command<C>> {
        let command = self.commands.pop_front()?;
        self.bytes -= command.bytes();
        if self.commands.is_empty() {
            // An idle entity keeps no mailbox.
            self.commands = VecDeque::new();
        }
        Some(command)
    }

    /// Why there is no room for the command, if there is none.
    pub(crate) fn refusal(&self, command: &Command<C>, entity_id: &str) -> Option<String> {
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
    pub(crate) fn is_awaited(&mut self) -> bool {
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

impl<C> Queue<C> {
    /// Takes out the command of a caller, if it still waits.
    pub(crate) fn remove(&mut self, is_meant: impl Fn(&C) -> bool) -> Option<Command<C>> {
        let at = self
            .commands
            .iter()
            .position(|command| is_meant(&command.caller))?;
        let command = self.commands.remove(at)?;
        self.bytes -= command.bytes();
        Some(command)
    }
}
