//! What the proxy exports, held to what is written about it: the dashboard and the page of metrics.

mod check;
mod dashboard;
mod everything;
mod page;
mod promql;
