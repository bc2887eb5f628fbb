//! A server with APNs and Alice, and what the tests say about recorded pushes.

use nightjar_provider_servers::{ApnsServer, Recorded};
use nightjar_whole::{Device, Login, Server, Setup, ms_since_epoch, within};

use crate::setup;

/// Any push that waits for nothing.
pub(crate) const AT_ONCE_MS: u64 = 1_000;
/// A deadline must not fire early either; whatever is measured is rounded by less than this.
pub(crate) const EARLY_MS: u64 = 50;

/// A server, its push service and somebody who writes.
pub(crate) struct Scene {
    pub(crate) apns: ApnsServer,
    pub(crate) server: Server,
    pub(crate) alice: Device,
}

/// A scene on a server with this configuration besides its own.
pub(crate) async fn scene(more: &str) -> Scene {
    scene_of(setup().with(more)).await
}

/// A scene on this server.
pub(crate) async fn scene_of(setup: Setup) -> Scene {
    let apns = ApnsServer::start().await;
    let server = setup.with(&apns.config("main")).start().await;
    let alice = Login::new("alice", "laptop").to(&server).await;
    Scene { apns, server, alice }
}

impl Scene {
    /// Logs in and binds.
    pub(crate) async fn phone(&self, login: Login) -> Device {
        let phone = login.to(&self.server).await;
        self.bind(&phone.uid, &phone.device_id).await;
        phone
    }

    /// Binds a token named after user and device.
    pub(crate) async fn bind(&self, uid: &str, device_id: &str) {
        let token = format!("{uid}-{device_id}");
        self.server.api().bind(uid, device_id, ["apns", "main", &token]).await;
    }

    /// The push of one message to one token, once it is there.
    pub(crate) async fn push_to(&self, token: &str, message_id: &str) -> Recorded {
        let nid = nid(message_id);
        let what = format!("a push of {nid} to {token}");
        self.push_where(&what, |push| push.token == token && push.json()["nid"] == nid.as_str())
            .await
    }

    /// The push of one message, once it is there, to whomever.
    pub(crate) async fn push_of(&self, message_id: &str) -> Recorded {
        let nid = nid(message_id);
        self.push_where(&nid, |push| push.json()["nid"] == nid.as_str()).await
    }

    /// The first push like that, once it is there.
    pub(crate) async fn push_where(
        &self,
        what: &str,
        is_it: impl Fn(&Recorded) -> bool,
    ) -> Recorded {
        let pushes = self.apns.wait_until(|pushes| pushes.iter().any(&is_it));
        let pushes = within(what, pushes).await;
        pushes.into_iter().find(is_it).expect("it was just there")
    }

    /// Asserts that a token was pushed nothing: whatever was on its way is there before a push
    /// that is asked for only now.
    pub(crate) async fn assert_not_pushed(&self, token: &str) {
        self.bind("marker", "phone").await;
        let last = self.alice.say("marker", "the last").await;
        self.push_of(&last.message_id).await;
        let pushes = self.apns.requests();
        assert!(of_token(&pushes, token).is_empty(), "{token} got {:?}", nids(&pushes, token));
    }

    /// Waits until the server knows a device's app state.
    pub(crate) async fn app_state(&self, device: (&str, &str), state: &str) {
        let api = self.server.api();
        let known = async { while api.device(device.0, device.1).await["app_state"] != state {} };
        within(&format!("{device:?} to be {state}"), known).await;
    }
}

/// From a message's own time to its push at the provider, in ms.
pub(crate) fn lateness_ms(push: &Recorded, message_at: u64) -> u64 {
    ms_since_epoch(push.at).saturating_sub(message_at)
}

/// The pushes of one token.
pub(crate) fn of_token<'a>(pushes: &'a [Recorded], token: &str) -> Vec<&'a Recorded> {
    pushes.iter().filter(|push| push.token == token).collect()
}

/// The notification ids of one token's alerts, in the order they came.
pub(crate) fn nids(pushes: &[Recorded], token: &str) -> Vec<String> {
    let of_token = of_token(pushes, token).into_iter();
    of_token.filter_map(|push| push.json()["nid"].as_str().map(str::to_owned)).collect()
}

/// The notification id of a message.
pub(crate) fn nid(message_id: &str) -> String {
    format!("m.{message_id}")
}
