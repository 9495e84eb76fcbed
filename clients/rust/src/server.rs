//! A channel to the server, and calls that end in time, wait for the server and say who calls.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use tokio::time::{Instant, sleep, timeout};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{ConnectError, Request, Response, Status};

/// Between two tries to connect.
const RECONNECT: Duration = Duration::from_millis(200);

/// Which server to call, and as whom.
#[derive(Clone, Debug, clap::Args)]
pub struct Server {
    /// Where it is
    #[arg(long = "server", value_name = "HOST:PORT")]
    pub address: String,
    /// A file with this caller's token; read for each call, so that the token may change
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The authority of the server's certificate, in PEM; without it there is no TLS
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// This caller's certificate, in PEM
    #[arg(long, value_name = "FILE", requires_all = ["ca", "key"])]
    pub cert: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
}

impl Server {
    /// A channel that connects with the first call, and anew whenever its connection broke. It is
    /// cheap to clone, and one is enough for a process.
    pub fn channel(&self) -> Result<Channel, Box<dyn Error>> {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}", self.address))?
            .connect_timeout(Duration::from_secs(5))
            // A connection whose other end is gone without a word is given up.
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10));
        if let Some(ca) = &self.ca {
            let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?));
            if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
                tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
            }
            endpoint = endpoint.tls_config(tls)?;
        }
        Ok(endpoint.connect_lazy())
    }

    /// Makes one call, within this time. Where no connection can be made it is tried again until
    /// then: nothing was sent, and a server that is being restarted must not fail it.
    pub async fn call<T: Clone, R, F>(
        &self,
        message: &T,
        id: &str,
        within: Duration,
        mut send: impl FnMut(Request<T>) -> F,
    ) -> Result<R, Status>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut request = Request::new(message.clone());
            // Tells the server. What tonic itself makes of it ends with the answer's headers, and
            // those of a refund come at once: without the timeout below the call could hang.
            request.set_timeout(left);
            request.metadata_mut().insert("x-request-id", ascii(id)?);
            if let Some(file) = &self.token_file {
                request.metadata_mut().insert("authorization", token(file)?);
            }
            match timeout(left, send(request)).await {
                Ok(Err(status)) if was_never_sent(&status) && left > 2 * RECONNECT => {
                    sleep(RECONNECT).await;
                }
                Ok(answer) => return answer.map(Response::into_inner),
                Err(_) => return Err(Status::deadline_exceeded("no answer in time")),
            }
        }
    }
}

/// Whether there was no connection, so that nothing can have been sent. No code proves that:
/// UNAVAILABLE also is what a connection shows that broke after the server had the request.
pub fn was_never_sent(status: &Status) -> bool {
    causes(status).any(|cause| cause.is::<ConnectError>())
}

/// What led to an error, and what led to that. A status alone says "transport error" or less.
pub fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(status.source(), |cause| (*cause).source())
}

fn read(file: &Path) -> io::Result<String> {
    let named = |error| io::Error::other(format!("{}: {error}", file.display()));
    fs::read_to_string(file).map_err(named)
}

/// That there is none is as if the server had refused it.
fn token(file: &Path) -> Result<MetadataValue<Ascii>, Status> {
    let token = read(file).map_err(|error| Status::unauthenticated(error.to_string()))?;
    let mut value = ascii(&format!("Bearer {}", token.trim()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn ascii(text: &str) -> Result<MetadataValue<Ascii>, Status> {
    // The text may be a secret, and is not told.
    text.parse().map_err(|_| Status::unauthenticated("a token or an id is no ASCII text"))
}
