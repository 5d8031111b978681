//! The collector, as it is called.

use std::str::FromStr;

use http::uri::PathAndQuery;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::Options;
use crate::messages::{
    EXPORT_PATH, ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};

/// Options that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidOptions {
    /// The endpoint is no URL, or its roots are no certificates.
    #[error("the collector's endpoint [{endpoint}] cannot be used: {}", cause(.source))]
    Endpoint {
        /// The endpoint as it was given.
        endpoint: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// A header that HTTP/2 does not take.
    #[error("[{name}] is no header that gRPC can send, or its value is none")]
    Header {
        /// Its name; the value may be a secret.
        name: String,
    },
}

/// tonic's own text says only that there is a cause.
fn cause(error: &tonic::transport::Error) -> String {
    use std::error::Error;
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// A collector. It is connected to when there is something to send, and again when the connection was lost.
#[derive(Debug)]
pub(crate) struct Client {
    grpc: tonic::client::Grpc<Channel>,
    headers: MetadataMap,
    options: Options,
}

impl Client {
    pub(crate) fn new(options: Options) -> Result<Self, InvalidOptions> {
        let invalid = |source| InvalidOptions::Endpoint {
            endpoint: options.endpoint.clone(),
            source,
        };
        let endpoint = Endpoint::from_shared(options.endpoint.clone())
            .map_err(invalid)?
            .connect_timeout(options.timeout)
            .timeout(options.timeout)
            .user_agent(concat!("cloudstate-proxy/", env!("CARGO_PKG_VERSION")))
            .map_err(invalid)?;
        let endpoint = match endpoint.uri().scheme_str() {
            Some("https") => endpoint
                .tls_config(tls(options.roots.as_deref()))
                .map_err(invalid)?,
            _ => endpoint,
        };
        Ok(Client {
            grpc: tonic::client::Grpc::new(endpoint.connect_lazy()),
            headers: headers(&options.headers)?,
            options,
        })
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Sends spans once. What the collector did not want of them is in the answer.
    pub(crate) async fn export(
        &mut self,
        spans: ExportTraceServiceRequest,
    ) -> Result<Option<ExportTracePartialSuccess>, Status> {
        let mut request = Request::new(spans);
        *request.metadata_mut() = self.headers.clone();
        let export = async {
            // An error here is the channel's: it has no connection and got none.
            let unavailable = |error: tonic::transport::Error| Status::unavailable(cause(&error));
            self.grpc.ready().await.map_err(unavailable)?;
            let codec = ProstCodec::<ExportTraceServiceRequest, ExportTraceServiceResponse>::default();
            let path = PathAndQuery::from_static(EXPORT_PATH);
            self.grpc.unary(request, path, codec).await
        };
        let answer = tokio::time::timeout(self.options.timeout, export).await;
        let answer = answer.map_err(|_| Status::deadline_exceeded("the collector did not answer in time"))?;
        Ok(answer?.into_inner().partial_success)
    }
}

/// Whether the same spans may be sent again. Source: OTLP specification, "Failures"; without a hint when to retry, a
/// collector that has no room is left alone.
pub(crate) fn may_retry(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn tls(roots: Option<&[u8]>) -> ClientTlsConfig {
    match roots {
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        None => ClientTlsConfig::new().with_native_roots(),
    }
}

fn headers(entries: &[(String, String)]) -> Result<MetadataMap, InvalidOptions> {
    let mut headers = MetadataMap::with_capacity(entries.len());
    for (name, value) in entries {
        let invalid = || InvalidOptions::Header { name: name.clone() };
        let key = MetadataKey::<Ascii>::from_str(&name.to_ascii_lowercase()).map_err(|_| invalid())?;
        let value = MetadataValue::<Ascii>::from_str(value).map_err(|_| invalid())?;
        headers.append(key, value);
    }
    Ok(headers)
}
