//! One recording server of every vendor, for integrators who run the real server against them.

use std::any::Any;

use serde_json::{Map, Value, json};

use crate::{
    ApnsServer, FcmServer, HarmonyServer, HonorServer, HuaweiServer, MeizuServer, OppoServer,
    VivoServer, WebPushServer, XiaomiServer,
};

/// The credential's name in the tables.
const NAME: &str = "main";

/// The servers. They stop when it is dropped.
pub struct Fleet {
    told: Map<String, Value>,
    _servers: Vec<Box<dyn Any + Send>>,
}

impl Fleet {
    /// Starts them, each on a free port of loopback.
    pub async fn start() -> Self {
        let mut fleet = Self { told: Map::new(), _servers: Vec::new() };
        let apns = ApnsServer::start().await;
        fleet.keep("apns", apns.base_url(), apns.config(NAME), apns);
        let fcm = FcmServer::start().await;
        fleet.keep("fcm", fcm.base_url(), fcm.config(NAME), fcm);
        let huawei = HuaweiServer::start().await;
        fleet.keep("huawei", huawei.base_url(), huawei.config(NAME), huawei);
        let harmony = HarmonyServer::start().await;
        fleet.keep("harmony", harmony.base_url(), harmony.config(NAME), harmony);
        let honor = HonorServer::start().await;
        fleet.keep("honor", honor.base_url(), honor.config(NAME), honor);
        let xiaomi = XiaomiServer::start().await;
        fleet.keep("xiaomi", xiaomi.base_url(), xiaomi.config(NAME), xiaomi);
        let oppo = OppoServer::start().await;
        fleet.keep("oppo", oppo.base_url(), oppo.config(NAME), oppo);
        let vivo = VivoServer::start().await;
        fleet.keep("vivo", vivo.base_url(), vivo.config(NAME), vivo);
        let meizu = MeizuServer::start().await;
        fleet.keep("meizu", meizu.base_url(), meizu.config(NAME), meizu);
        for provider in ["webpush", "unifiedpush"] {
            let server = WebPushServer::start().await;
            let token = server.subscribe("browser");
            let config = server.config(provider, NAME);
            fleet.keep(provider, server.base_url(), config, server);
            // Only this subscription is known there; the others take any token.
            fleet.told[provider]["token"] = token.into();
        }
        fleet
    }

    fn keep(&mut self, provider: &str, base_url: String, config: String, server: impl Any + Send) {
        let told = json!({ "base_url": base_url, "config": config });
        self.told.insert(provider.to_owned(), told);
        self._servers.push(Box::new(server));
    }

    /// By provider: `base_url`, `config` (a table for the configuration file) and, where the
    /// server takes no other, `token`.
    #[must_use]
    pub fn told(&self) -> Value {
        Value::Object(self.told.clone())
    }
}
