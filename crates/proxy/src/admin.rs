//! The ports of operators and probes, on a thread of their own.

use std::sync::Arc;
use std::thread::JoinHandle;

use cloudstate_admin::Admin;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::listen::{ListenError, Reserved};
use crate::run::{Event, RunError};

const KEY: &str = "admin.port";
const MANAGEMENT_KEY: &str = "admin.management_port";

/// Takes the admin port, and the second one where existing deployments probe.
pub(crate) fn reserve(config: &Config) -> Result<Vec<(Reserved, &'static str)>, ListenError> {
    let config = &config.admin;
    let mut ports = vec![(config.port, KEY)];
    ports.extend(
        config
            .management_port
            .filter(|port| *port != config.port || *port == 0)
            .map(|p| (p, MANAGEMENT_KEY)),
    );
    ports
        .into_iter()
        .map(|(port, key)| Ok((Reserved::new(config.host.as_str(), port, key)?, key)))
        .collect()
}

/// Listens on the ports until `end`, beside whatever the data path does.
pub(crate) fn start(
    admin: Admin,
    ports: Vec<(Reserved, &'static str)>,
    end: CancellationToken,
    events: &dyn Fn(Event),
) -> Result<JoinHandle<()>, RunError> {
    let addresses: Vec<_> = ports.iter().map(|(port, _)| port.address()).collect();
    let (opened, has_opened) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("admin".to_owned())
        .spawn(move || {
            let outcome = serve(&Arc::new(admin), ports, &end, &opened);
            if let Err(error) = outcome {
                // The starter waits for exactly one message and is told of a failure here, if not before.
                let _ = opened.try_send(Err(error));
            }
        })?;
    has_opened
        .recv()
        .map_err(|_| RunError::Died("the admin port"))??;
    // Only now can whoever hears of it connect.
    addresses.into_iter().map(Event::AdminListening).for_each(events);
    Ok(thread)
}

fn serve(
    admin: &Arc<Admin>,
    ports: Vec<(Reserved, &'static str)>,
    end: &CancellationToken,
    opened: &std::sync::mpsc::SyncSender<Result<(), RunError>>,
) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(async {
        let mut listeners = Vec::new();
        for (port, key) in ports {
            listeners.push(port.listen(key)?);
        }
        // The starter waits for it.
        let _ = opened.try_send(Ok(()));
        let serving = listeners
            .into_iter()
            .map(|listener| admin.clone().serve(listener, end.clone()));
        futures_util::future::join_all(serving).await;
        Ok(())
    })
}
