//! `nightjar serve`: the parts joined, from the first line of the log to the last fsync.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use nightjar_access::{AdminKeys, Certificate, HandshakeRate, Passwords, Tokens};
use nightjar_decider::{Clock, Decider, Handle, Pusher};
use nightjar_domain::{Deadlines, Row, Rows, Scan};
use nightjar_gateway_http::{Api, Credentials, Development, PageFile, Webhooks};
use nightjar_gateway_native::NativeGateway;
use nightjar_gateway_xmpp::XmppGateway;
use nightjar_model::{BindingKey, Command, Credential, Reply, Secret};
use nightjar_node::NodeConfig;
use nightjar_providers::{Console, Providers, open_one};
use nightjar_push::PushPolicy;
use nightjar_session::SessionConfig;
use nightjar_store_fjall::{Counters, FjallStore};
use nightjar_webhooks::Hub;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::Config;
use crate::{ServeOptions, banner, certificates, listen, metrics, stores, wukong, xmpp};

/// The admin key of development mode.
const DEVELOPMENT_KEY: &str = "dev";
/// Provider and credential that catch pushes in development mode.
const CONSOLE: &str = "console";
/// Requests of one credential at its provider at a time; in all four times as many.
const PUSHES_IN_FLIGHT_MAX: usize = 500;
/// How long connections have to end after the drain began; SIGTERM must end within 10 s.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// Exit code when the store failed for good (EX_IOERR of sysexits.h).
const BROKEN_STORE: i32 = 74;

/// Runs the server until SIGTERM or SIGINT.
pub(crate) fn serve(options: ServeOptions) -> anyhow::Result<()> {
    let mut config = Config::load(options.config.as_deref())?;
    if let Some(data_dir) = options.data_dir {
        config.server.data_dir = data_dir;
    }
    if let Some(listen) = options.listen {
        config.server.listen = listen;
    }
    let is_development = options.config.is_none();
    start_log(is_development);
    for section in config.not_offered() {
        tracing::warn!("{section} is not offered by this version and is ignored");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime could be made")?;
    runtime.block_on(run(config, is_development, options.ready_file.as_deref()))
}

fn start_log(is_development: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("NIGHTJAR_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if is_development {
        log.compact().init();
    } else {
        log.json().init();
    }
}

async fn run(
    config: Config,
    is_development: bool,
    ready_file: Option<&Path>,
) -> anyhow::Result<()> {
    let clock = Clock::start();
    let console = is_development.then(|| Arc::new(Console::default()));
    let providers = Providers::open(&config.push.providers())?;
    let (decider, store) = start_decider(&config, &providers, console.clone(), clock)?;
    let metrics = metrics::install(store)?;
    let handle = decider.handle();
    let tokens = Arc::new(Tokens::new(&token_secret(&config)?));
    let (stop, stopping) = watch::channel(false);

    let (gateway, native_address) = start_native(&config, &handle, &tokens, &stopping).await?;
    let passwords = Arc::new(Passwords::default());
    let shared = xmpp::Shared {
        handle: handle.clone(),
        passwords: Arc::clone(&passwords),
        handshakes_per_s: config.limits.handshakes_per_s,
        connections_max: config.limits.connections,
    };
    let xmpp = xmpp::start(&config.xmpp, &config.server.data_dir, shared, &stopping).await?;
    let wukong = wukong::start(&config, &handle, &gateway.connections, &stopping).await?;
    let http = bind(&config.server.listen, "server.listen").await?;
    let http_address = address_of(http.as_ref())?;
    let admin = admin_keys(&config, is_development);
    let webhooks = start_webhooks(&config, &handle).await?;
    if let Some(listener) = http {
        let development = is_development.then_some(Development);
        let api = Api {
            handle: handle.clone(),
            tokens,
            passwords,
            admin: Arc::new(AdminKeys::new(admin.clone())),
            credentials: Credentials::new(providers, &config.push.providers()),
            webhooks,
            console,
            page: page(),
            csp: nightjar_web::CSP,
            metrics,
            development,
        };
        let router = nightjar_gateway_http::router(api)
            .merge(NativeGateway::websocket_route(gateway))
            .merge(XmppGateway::websocket_route(xmpp.gateway));
        let router = nightjar_gateway_http::guarded(router, development);
        tokio::spawn(listen::http(listener, router, stopping.clone()));
    }
    let mut addresses = vec![
        ("http", http_address),
        ("native", native_address),
        ("xmpp", xmpp.listen),
        ("xmpp_tls", xmpp.tls),
    ];
    addresses.extend(wukong);
    announce(&addresses, ready_file)?;
    if is_development {
        banner::print(http_address, native_address, DEVELOPMENT_KEY);
    }
    listen::end_signal().await.context("no signal handler could be set")?;
    // A stopped listener and a drained connection need nobody to hear this.
    let _ = stop.send(true);
    end(&handle, decider).await;
    Ok(())
}

/// The native front doors, and where the one without HTTP listens.
async fn start_native(
    config: &Config,
    handle: &Handle,
    tokens: &Arc<Tokens>,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<(Arc<NativeGateway>, Option<SocketAddr>)> {
    let gateway = Arc::new(NativeGateway {
        handle: handle.clone(),
        tokens: Arc::clone(tokens),
        config: session_config(config),
        rate: Arc::new(HandshakeRate::new(config.limits.handshakes_per_s)),
        connections_max: config.limits.connections,
        connections: Arc::default(),
    });
    let native = bind(&config.native.listen, "native.listen").await?;
    let address = address_of(native.as_ref())?;
    if let Some(listener) = native {
        let certificate = match (&config.native.cert_file, &config.native.key_file) {
            (Some(cert), Some(key)) => Some(Certificate::open(cert, key)?),
            _ => None,
        };
        let tls = certificate.as_ref().map(Certificate::server_config).transpose()?;
        tokio::spawn(certificates::keep_fresh(certificate.into_iter().collect()));
        tokio::spawn(Arc::clone(&gateway).serve(listener, tls, stopping.clone()));
    }
    Ok((gateway, address))
}

/// Connections are told, what they asked is answered and written, then the store is closed.
async fn end(handle: &Handle, decider: Decider) {
    tracing::info!("draining");
    drain(handle).await;
    decider.stop().await;
    tracing::info!("stopped");
}

fn start_decider(
    config: &Config,
    providers: &Providers,
    console: Option<Arc<Console>>,
    clock: Clock,
) -> anyhow::Result<(Decider, Arc<Counters>)> {
    let mut fallback = None;
    if let Some(console) = console {
        providers.insert(CONSOLE, console);
        fallback = Some(BindingKey { provider: CONSOLE.into(), credential: CONSOLE.into() });
    }
    for key in providers.keys() {
        if let Some(public_key) = providers.get(&key).and_then(|provider| provider.public_key()) {
            let BindingKey { provider, credential } = key;
            tracing::info!(%provider, %credential, %public_key, "apps subscribe with this key");
        }
    }
    let credentials: BTreeSet<BindingKey> = providers.keys().into_iter().collect();
    let open = providers.clone();
    let pusher = Pusher::new(tokio::runtime::Handle::current(), move |request| {
        let providers = open.clone();
        Box::pin(async move { providers.push(&request).await })
    });
    let (release, parts) = Decider::release(pusher, clock);
    let directory = stores::directory(&config.server.data_dir);
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("{} cannot be made", directory.display()))?;
    let store = FjallStore::open(
        &directory,
        nightjar_store_fjall::Options::default(),
        move |commit| release.safe(commit),
        |failure| broken(&failure.chain()),
    )
    .with_context(|| format!("the store in {} cannot be opened", directory.display()))?;
    open_stored(providers, &store)?;
    let counters = store.counters();
    let node = NodeConfig {
        deadlines: Deadlines {
            foreground_ms: config.deadlines.foreground_ms,
            grace_ms: config.deadlines.grace_ms,
            inactive_ms: config.deadlines.inactive_ms,
        },
        policy: config.push.choice()?.over(&PushPolicy::default()),
        credentials,
        fallback,
        pushes_in_flight_max: PUSHES_IN_FLIGHT_MAX,
        events: !config.webhooks.url.is_empty() || !config.wukong.webhook.url.is_empty(),
    };
    let decider = Decider::start(parts, node, Box::new(store), |reason| broken(&reason))?;
    Ok((decider, counters))
}

/// Opens the credentials an operator made. One that this version cannot open keeps nobody from
/// starting: its pushes fail by name, and the API says what is wrong with it.
fn open_stored(providers: &Providers, store: &FjallStore) -> anyhow::Result<()> {
    let rows = store.scan(&Scan::Credentials).map_err(|missing| anyhow!("{missing:?}"))?;
    for row in rows {
        let Row::Credential(Credential { key, options: Some(options), .. }) = row else { continue };
        if providers.get(&key).is_some() {
            continue;
        }
        let opened = serde_json::from_str(options.expose()).ok();
        match opened.and_then(|options| open_one(&key, &options).ok()) {
            Some(provider) => providers.insert(&key.credential, provider),
            None => tracing::error!(
                provider = key.provider,
                credential = key.credential,
                "a push credential cannot be opened; GET /v1/push/credentials says why"
            ),
        }
    }
    Ok(())
}

/// A store that failed may have lost what it was told: nothing that follows may be said.
fn broken(reason: &str) -> ! {
    tracing::error!(reason, "the store failed; ending so that nothing unsafe is acknowledged");
    std::process::exit(BROKEN_STORE);
}

fn session_config(config: &Config) -> SessionConfig {
    SessionConfig {
        heartbeat_interval_s: config.heartbeat.interval_s,
        heartbeat_timeout_s: config.heartbeat.timeout_s,
        heartbeat_misses: config.heartbeat.misses,
        ack_deadline_ms: u32::try_from(config.deadlines.foreground_ms).unwrap_or(u32::MAX),
        handshakes_per_s: config.limits.handshakes_per_s,
    }
}

/// Development mode makes a secret of its own and keeps it in the data directory, so that tokens
/// survive a restart.
fn token_secret(config: &Config) -> anyhow::Result<Secret<String>> {
    if let Some(secret) = &config.server.token_secret {
        return Ok(secret.clone());
    }
    let file = config.server.data_dir.join("token-secret");
    if let Ok(text) = std::fs::read_to_string(&file) {
        return Ok(Secret::new(text.trim().to_owned()));
    }
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).context("the operating system gave no random bytes")?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    write_private(&file, &text).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(Secret::new(text))
}

pub(crate) fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut open = std::fs::OpenOptions::new();
    open.write(true).create_new(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}

fn admin_keys(config: &Config, is_development: bool) -> Vec<(String, Secret<String>)> {
    let mut keys: Vec<(String, Secret<String>)> =
        config.server.admin_keys.iter().map(|(name, key)| (name.clone(), key.clone())).collect();
    match &config.server.admin_key {
        Some(key) => keys.push(("admin".into(), key.clone())),
        None if is_development => {
            keys.push(("development".into(), Secret::new(DEVELOPMENT_KEY.into())));
        }
        None => {}
    }
    keys
}

/// A listener on an address nobody chose is left out where another program listens already, so
/// that a second server can run beside it; one that somebody chose must open.
pub(crate) async fn bind_unless_taken(
    address: &str,
    option: &str,
    default: &str,
) -> anyhow::Result<Option<TcpListener>> {
    let is_taken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse;
    match bind(address, option).await {
        Err(error)
            if address == default && error.root_cause().downcast_ref().is_some_and(is_taken) =>
        {
            tracing::warn!("{address} is taken: nothing listens there; set {option}");
            Ok(None)
        }
        other => other,
    }
}

pub(crate) async fn bind(address: &str, option: &str) -> anyhow::Result<Option<TcpListener>> {
    if address.is_empty() {
        return Ok(None);
    }
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("{option}: cannot listen on {address}; is another server running there?")
    })?;
    Ok(Some(listener))
}

pub(crate) fn address_of(listener: Option<&TcpListener>) -> anyhow::Result<Option<SocketAddr>> {
    listener.map(TcpListener::local_addr).transpose().context("a listener has no address")
}

fn page() -> &'static [PageFile] {
    let files: Vec<PageFile> = nightjar_web::FILES
        .iter()
        .map(|file| PageFile {
            path: file.path,
            content_type: file.content_type,
            bytes: file.bytes,
        })
        .collect();
    Vec::leak(files)
}

/// Serves the webhook of the configuration and those an operator set up.
async fn start_webhooks(config: &Config, handle: &Handle) -> anyhow::Result<Arc<Webhooks>> {
    let lanes = handle.clone();
    let ask = Arc::new(move |command| -> nightjar_webhooks::AskFuture {
        let lanes = lanes.clone();
        Box::pin(async move { lanes.call(command).await })
    });
    let hub = Hub::new(ask, handle.events());
    let configured = config.webhooks.webhook();
    if let Some(webhook) = &configured {
        hub.set(webhook).context("webhooks")?;
    }
    let stored = match handle.call(Command::Webhooks).await {
        Ok(Reply::Webhooks { webhooks, .. }) => webhooks,
        other => return Err(anyhow!("webhooks could not be read: {other:?}")),
    };
    for webhook in &stored {
        let is_shadowed = configured.as_ref().is_some_and(|known| known.id == webhook.id);
        if is_shadowed {
            continue;
        }
        if let Err(error) = hub.set(webhook) {
            let error: &dyn std::error::Error = &error;
            tracing::error!(id = webhook.id, error, "a webhook cannot be served");
        }
    }
    Ok(Webhooks::new(hub, configured))
}

/// Says where the server listens: in the log, and in the ready file when one is wanted.
fn announce(
    listening: &[(&'static str, Option<SocketAddr>)],
    ready_file: Option<&Path>,
) -> anyhow::Result<()> {
    for (name, address) in listening {
        if let Some(address) = address {
            tracing::info!(%address, "listening for {name}");
        }
    }
    tracing::info!("ready");
    let Some(file) = ready_file else { return Ok(()) };
    let mut addresses = serde_json::Map::new();
    for (name, address) in listening {
        if let Some(address) = address {
            addresses.insert((*name).into(), address.to_string().into());
        }
    }
    // Written beside and renamed, so that a reader never sees half of it.
    let beside = file.with_extension("tmp");
    std::fs::write(&beside, serde_json::Value::Object(addresses).to_string())
        .and_then(|()| std::fs::rename(&beside, file))
        .with_context(|| format!("{} cannot be written", file.display()))
}

/// Tells every connection and waits until they are gone, for a bounded time.
async fn drain(handle: &Handle) {
    handle.drain();
    let gone = async {
        while handle.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(DRAIN_WITHIN, gone).await.is_err() {
        tracing::warn!(left = handle.connections(), "connections did not end in time");
    }
}
