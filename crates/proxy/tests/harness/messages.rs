//! What proxies write to their log, as JSON.

use std::io;
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

/// The messages of all proxies of this process. A test looks for what only it causes.
pub(crate) struct Messages(watch::Sender<String>);

impl Messages {
    /// Begins to listen, or goes on.
    pub(crate) fn listen() -> Arc<Messages> {
        static MESSAGES: OnceLock<Arc<Messages>> = OnceLock::new();
        let begin = || {
            let messages = Arc::new(Messages(watch::Sender::default()));
            let writer = messages.clone();
            let subscriber = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_max_level(tracing::Level::WARN)
                .with_writer(move || Writer(writer.clone()))
                .finish();
            tracing::subscriber::set_global_default(subscriber).expect("nobody else listens");
            messages
        };
        MESSAGES.get_or_init(begin).clone()
    }

    /// Waits for a message with all of these texts in it.
    pub(crate) async fn saw(&self, parts: &[&str]) -> String {
        let find = |all: &String| {
            let mut lines = all.lines();
            lines
                .find(|line| parts.iter().all(|part| line.contains(part)))
                .map(str::to_owned)
        };
        let mut all = self.0.subscribe();
        let all = all
            .wait_for(|all| find(all).is_some())
            .await
            .expect("the sender lives");
        find(&all).expect("it was found")
    }
}

struct Writer(Arc<Messages>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.0.send_modify(|all| all.push_str(&text));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
