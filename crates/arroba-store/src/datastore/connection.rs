//! The connection to the service, or to its emulator.

use std::time::Duration;

use async_trait::async_trait;
use gcloud_sdk::{
    GoogleApi, GoogleAuthMiddleware,
    google::datastore::v1::{
        BeginTransactionRequest, BeginTransactionResponse, CommitRequest, CommitResponse, LookupRequest,
        LookupResponse, RollbackRequest, RollbackResponse, RunQueryRequest, RunQueryResponse,
        datastore_client::DatastoreClient,
    },
    tonic::{
        Request, Response, Status,
        metadata::{Ascii, MetadataValue, errors::InvalidMetadataValue},
        transport::{Channel, Endpoint},
    },
};

use super::{Database, Rpc, error::too_late, limits};

/// What a [`Connection`] needs to know.
#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    /// Which database.
    pub database: Database,
    /// `host:port` of an emulator, which is spoken to without encryption and without credentials; without one it is Google's service
    /// with the credentials that the environment provides ("application default credentials").
    pub emulator: Option<String>,
    /// How long one call may take, connecting included.
    pub call_limit: Duration,
}

impl ConnectionOptions {
    /// How long one call may take unless said otherwise.
    pub const CALL_LIMIT: Duration = Duration::from_secs(30);

    /// Google's service, or an emulator.
    pub const fn new(database: Database, emulator: Option<String>) -> Self {
        Self { database, emulator, call_limit: Self::CALL_LIMIT }
    }

    /// Takes the variables that Google's own libraries (and the Python library) take: `DATASTORE_EMULATOR_HOST`, `DATASTORE_DB`, and
    /// for the project the first of `DATASTORE_PROJECT_ID`, `DATASTORE_DATASET` and `GOOGLE_CLOUD_PROJECT`. `variable` gives the value of one.
    ///
    /// # Errors
    /// [`ConnectError::NoProject`] and [`ConnectError::Name`].
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConnectError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let names = ["DATASTORE_PROJECT_ID", "DATASTORE_DATASET", "GOOGLE_CLOUD_PROJECT"];
        let project = names.into_iter().find_map(set);
        let database =
            Database::new(project.ok_or(ConnectError::NoProject)?, set("DATASTORE_DB").unwrap_or_default())?;
        Ok(Self::new(database, set("DATASTORE_EMULATOR_HOST")))
    }
}

/// One HTTP/2 connection, shared by all calls and renewed when it breaks.
#[derive(Clone)]
pub struct Connection {
    transport: Transport,
    database: Database,
    call_limit: Duration,
    /// How the service finds the database: <https://google.aip.dev/client-libraries/4222>, and the older header beside it.
    routing: MetadataValue<Ascii>,
    prefix: MetadataValue<Ascii>,
}

#[derive(Clone)]
enum Transport {
    Emulator(DatastoreClient<Channel>),
    Google(DatastoreClient<GoogleAuthMiddleware>),
}

impl Connection {
    /// Connects. To an emulator the connection is made with the first call, and again with the next one if it fails.
    ///
    /// # Errors
    /// [`ConnectError::Emulator`] for an address that is none; [`ConnectError::Google`] if there are no credentials or the
    /// service cannot be reached, [`ConnectError::Late`] if that takes longer than the limit of a call.
    pub async fn open(options: ConnectionOptions) -> Result<Self, ConnectError> {
        let ConnectionOptions { database, emulator, call_limit } = options;
        let transport = match emulator {
            Some(host) => Transport::Emulator(sized(emulator_client(&host, call_limit)?)),
            None => {
                let google = GoogleApi::from_function(DatastoreClient::new, SERVICE, None);
                let google = tokio::time::timeout(call_limit, google)
                    .await
                    .map_err(|_| ConnectError::Late(call_limit))?
                    .map_err(|source| ConnectError::Google(Box::new(source)))?;
                Transport::Google(sized_google(google.get()))
            }
        };
        let invalid =
            |_: InvalidMetadataValue| ConnectError::Name { what: "database", name: database.id().to_owned() };
        let routing = routing(&database).parse().map_err(invalid)?;
        let prefix = prefix(&database).parse().map_err(invalid)?;
        Ok(Self { transport, database, call_limit, routing, prefix })
    }

    fn prepare<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        // The server gives up a moment after we do, so that its answer and our limit never race.
        request.set_timeout(self.call_limit.saturating_add(Duration::from_secs(1)));
        request.metadata_mut().insert("x-goog-request-params", self.routing.clone());
        request.metadata_mut().insert("google-cloud-resource-prefix", self.prefix.clone());
        request
    }

    async fn limited<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>> + Send,
    ) -> Result<T, Status> {
        match tokio::time::timeout(self.call_limit, call).await {
            Ok(answer) => answer.map(Response::into_inner),
            Err(_) => Err(too_late(self.call_limit)),
        }
    }
}

macro_rules! send {
    ($self:ident, $method:ident, $message:ident) => {{
        let request = $self.prepare($message);
        match &$self.transport {
            Transport::Emulator(client) => {
                let mut client = client.clone();
                $self.limited(client.$method(request)).await
            }
            Transport::Google(client) => {
                let mut client = client.clone();
                $self.limited(client.$method(request)).await
            }
        }
    }};
}

#[async_trait]
impl Rpc for Connection {
    fn database(&self) -> &Database {
        &self.database
    }

    async fn lookup(&self, request: LookupRequest) -> Result<LookupResponse, Status> {
        send!(self, lookup, request)
    }

    async fn run_query(&self, request: RunQueryRequest) -> Result<RunQueryResponse, Status> {
        send!(self, run_query, request)
    }

    async fn begin_transaction(
        &self,
        request: BeginTransactionRequest,
    ) -> Result<BeginTransactionResponse, Status> {
        send!(self, begin_transaction, request)
    }

    async fn commit(&self, request: CommitRequest) -> Result<CommitResponse, Status> {
        send!(self, commit, request)
    }

    async fn rollback(&self, request: RollbackRequest) -> Result<RollbackResponse, Status> {
        send!(self, rollback, request)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let to = match self.transport {
            Transport::Emulator(_) => "emulator",
            Transport::Google(_) => "google",
        };
        formatter
            .debug_struct("Connection")
            .field("to", &to)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No variable names the project.
    #[error("no project: set DATASTORE_PROJECT_ID or GOOGLE_CLOUD_PROJECT")]
    NoProject,
    /// A name that cannot be one.
    #[error("invalid {what} name {name:?}")]
    Name {
        /// Project or database.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The emulator's address is not `host:port`.
    #[error("invalid emulator address {host:?}")]
    Emulator {
        /// What was given.
        host: String,
        /// What is wrong with it.
        #[source]
        source: gcloud_sdk::tonic::transport::Error,
    },
    /// No credentials, or the service cannot be reached.
    #[error("Google's service")]
    Google(#[source] Box<gcloud_sdk::error::Error>),
    /// Credentials and connection took too long.
    #[error("no connection to Google's service within {} s", .0.as_secs())]
    Late(Duration),
}

fn emulator_client(host: &str, call_limit: Duration) -> Result<DatastoreClient<Channel>, ConnectError> {
    let address = host.strip_prefix("http://").unwrap_or(host);
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|source| ConnectError::Emulator { host: host.to_owned(), source })?;
    let channel = endpoint
        .connect_timeout(call_limit)
        .tcp_nodelay(true)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(Duration::from_secs(60))
        .connect_lazy();
    Ok(DatastoreClient::new(channel))
}

fn sized(client: DatastoreClient<Channel>) -> DatastoreClient<Channel> {
    client.max_encoding_message_size(limits::REQUEST_BYTES).max_decoding_message_size(limits::RESPONSE_BYTES)
}

fn sized_google(client: DatastoreClient<GoogleAuthMiddleware>) -> DatastoreClient<GoogleAuthMiddleware> {
    client.max_encoding_message_size(limits::REQUEST_BYTES).max_decoding_message_size(limits::RESPONSE_BYTES)
}

/// `project_id=…&database_id=…`: the fields that the API's definition marks for routing; those that are empty are left out.
fn routing(database: &Database) -> String {
    // Of the characters that a name may have only the colon needs an escape.
    let escaped = |name: &str| name.replace(':', "%3A");
    let mut routing = format!("project_id={}", escaped(database.project()));
    if !database.id().is_empty() {
        routing.push_str("&database_id=");
        routing.push_str(&escaped(database.id()));
    }
    routing
}

fn prefix(database: &Database) -> String {
    if database.id().is_empty() {
        format!("projects/{}", database.project())
    } else {
        format!("projects/{}/databases/{}", database.project(), database.id())
    }
}

const SERVICE: &str = "https://datastore.googleapis.com";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_request_names_its_database_and_its_limit() {
        let database = Database::new("example.com:app", "other").unwrap();
        let options = ConnectionOptions::new(database, Some("localhost:1".to_owned()));
        let connection = Connection::open(options).await.unwrap();
        let request = connection.prepare(());
        let header =
            |name: &str| request.metadata().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(
            header("x-goog-request-params").as_deref(),
            Some("project_id=example.com%3Aapp&database_id=other")
        );
        assert_eq!(
            header("google-cloud-resource-prefix").as_deref(),
            Some("projects/example.com:app/databases/other")
        );
        assert!(header("grpc-timeout").is_some());
        assert_eq!(routing(&Database::new("app", "").unwrap()), "project_id=app");
        assert_eq!(prefix(&Database::new("app", "").unwrap()), "projects/app");
    }

    /// A TLS stack without a provider of its arithmetic panics when it is set up.
    #[tokio::test]
    async fn encryption_is_ready() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        drop(socket);
        let channel =
            gcloud_sdk::GoogleEnvironment::init_google_services_channel(format!("https://{address}")).await;
        assert!(channel.is_err(), "nobody listens");
    }

    #[test]
    fn the_variables_of_googles_libraries() {
        let read = |pairs: &'static [(&str, &str)]| {
            ConnectionOptions::from_variables(|name| {
                pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned())
            })
        };
        assert!(matches!(read(&[]), Err(ConnectError::NoProject)));
        assert!(matches!(read(&[("DATASTORE_PROJECT_ID", "")]), Err(ConnectError::NoProject)));
        let options = read(&[("GOOGLE_CLOUD_PROJECT", "app")]).unwrap();
        assert_eq!((options.database.project(), options.database.id(), options.emulator), ("app", "", None));
        let options = read(&[("GOOGLE_CLOUD_PROJECT", "other"), ("DATASTORE_DATASET", "app")]).unwrap();
        assert_eq!(options.database.project(), "app");
        let options = read(&[
            ("GOOGLE_CLOUD_PROJECT", "other"),
            ("DATASTORE_DATASET", "another"),
            ("DATASTORE_PROJECT_ID", "app"),
            ("DATASTORE_DB", "db"),
            ("DATASTORE_EMULATOR_HOST", "localhost:8089"),
        ])
        .unwrap();
        assert_eq!((options.database.project(), options.database.id()), ("app", "db"));
        assert_eq!(options.emulator.as_deref(), Some("localhost:8089"));
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused_by_name() {
        let database = Database::new("app", "").unwrap();
        let options = ConnectionOptions::new(database, Some("local host".to_owned()));
        assert!(matches!(Connection::open(options).await, Err(ConnectError::Emulator { .. })));
    }
}
