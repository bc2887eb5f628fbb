//! What a back end asks of the push of a message.

use nightjar_model::{DeviceId, Mentions, PushFilter, PushSpec, Reject, TemplateUse, limits};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::ApiError;

#[derive(Deserialize)]
pub(crate) struct PushBody {
    title: Option<String>,
    body: Option<String>,
    sound: Option<String>,
    #[serde(default)]
    silent: bool,
    #[serde(default)]
    force: bool,
    template: Option<TemplateBody>,
    filter: Option<FilterBody>,
    data: Option<Box<RawValue>>,
    providers: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct TemplateBody {
    name: String,
    #[serde(default)]
    title_args: Vec<String>,
    #[serde(default)]
    body_args: Vec<String>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct FilterBody {
    accept_devices: Vec<String>,
    ignore_devices: Vec<String>,
    accept_credentials: Vec<String>,
    ignore_credentials: Vec<String>,
}

fn bad(text: impl Into<String>) -> ApiError {
    ApiError::with(Reject::BadRequest, text)
}

fn too_large(field: &str, bytes_max: usize) -> ApiError {
    ApiError::with(Reject::TooLarge, format!("'push.{field}' may have {bytes_max} bytes"))
}

impl PushBody {
    pub(crate) fn parse(self, mentions: Mentions) -> Result<PushSpec, ApiError> {
        Ok(PushSpec {
            title: short("title", self.title, limits::PUSH_TITLE_BYTES_MAX)?,
            body: short("body", self.body, limits::PUSH_BODY_BYTES_MAX)?,
            sound: self.sound,
            silent: self.silent,
            mentions,
            data: self.data.map(|data| data.get().to_owned()),
            force: self.force,
            template: self.template.map(TemplateBody::parse).transpose()?,
            filter: self.filter.map(FilterBody::parse).transpose()?,
            providers: self.providers.map(providers).transpose()?,
        })
    }
}

fn short(field: &str, text: Option<String>, max: usize) -> Result<Option<String>, ApiError> {
    match text {
        Some(text) if text.len() > max => Err(too_large(field, max)),
        text => Ok(text),
    }
}

impl TemplateBody {
    fn parse(self) -> Result<TemplateUse, ApiError> {
        for (field, args) in [("title_args", &self.title_args), ("body_args", &self.body_args)] {
            if args.len() > limits::TEMPLATE_ARGS_MAX {
                let max = limits::TEMPLATE_ARGS_MAX;
                return Err(bad(format!("'push.template.{field}' may have {max} items")));
            }
            if args.iter().any(|arg| arg.len() > limits::PUSH_BODY_BYTES_MAX) {
                return Err(too_large(&format!("template.{field}"), limits::PUSH_BODY_BYTES_MAX));
            }
        }
        let Self { name, title_args, body_args } = self;
        Ok(TemplateUse { name, title_args, body_args })
    }
}

impl FilterBody {
    fn parse(self) -> Result<PushFilter, ApiError> {
        let lists = [
            ("accept_devices", &self.accept_devices),
            ("ignore_devices", &self.ignore_devices),
            ("accept_credentials", &self.accept_credentials),
            ("ignore_credentials", &self.ignore_credentials),
        ];
        if let Some((field, _)) = lists.iter().find(|(_, list)| list.len() > limits::FILTER_MAX) {
            return Err(bad(format!(
                "'push.filter.{field}' may have {} items",
                limits::FILTER_MAX
            )));
        }
        let devices = |ids: Vec<String>| {
            ids.iter().map(|id| DeviceId::parse(id)).collect::<Result<Vec<_>, _>>()
        };
        Ok(PushFilter {
            accept_devices: devices(self.accept_devices)?,
            ignore_devices: devices(self.ignore_devices)?,
            accept_credentials: self.accept_credentials,
            ignore_credentials: self.ignore_credentials,
        })
    }
}

fn providers(all: serde_json::Map<String, serde_json::Value>) -> Result<String, ApiError> {
    if let Some((name, _)) = all.iter().find(|(_, own)| !own.is_object()) {
        return Err(bad(format!("'push.providers.{name}' must be a JSON object")));
    }
    let text = serde_json::Value::Object(all).to_string();
    if text.len() > limits::PUSH_PROVIDERS_BYTES_MAX {
        return Err(too_large("providers", limits::PUSH_PROVIDERS_BYTES_MAX));
    }
    Ok(text)
}
