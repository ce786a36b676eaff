//! `GET /api/v1/openapi.json`: what the API takes and answers, told by the types that do.

use actix_web::web::{Data, Json};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, ObjectBuilder, OpenApi as Document, Ref, Required, ResponseBuilder, Server, Type,
};
use utoipa::{Modify, OpenApi};

use crate::api::{actions, aggregates, by_query, jobs, overview, streams};
use crate::attached::Attached;
use crate::problem::{PROBLEM_JSON, Problem};
use crate::{health, metrics};

/// Statuses of 400 and above that any request may meet, whatever it asks for.
const ANY: [(u16, &str); 11] = [
    (400, "Something that was sent is not as described"),
    (401, "A token is needed, or this one is not known"),
    (
        403,
        "The token is for less, or the Host, the Origin or the header X-Dormouse-Action is not as needed",
    ),
    (404, "There is no such thing"),
    (405, "The path takes other methods"),
    (409, "What was asked for can't be done as things stand"),
    (411, "A body has to come with its length"),
    (413, "The body is over 64 KiB"),
    (415, "The body is no JSON"),
    (429, "Too many wrong tokens came from this address"),
    (
        503,
        "Not now: the store is being opened, or can't be read; or too many ask at once",
    ),
];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Dormouse: admin API",
        description = "Operates one Dormouse runtime. Versions, offsets, counts and sizes are JSON numbers; a reader whose numbers are floating point has them exactly up to 2^53. Whatever changes something is a POST that carries `X-Dormouse-Action: 1`. Where no tokens are configured, which takes a server on loopback, none is needed.",
        version = "1"
    ),
    paths(
        overview::overview, aggregates::types, aggregates::residents, streams::streams, streams::events, streams::state,
        by_query::events, by_query::state, streams::event, actions::passivate, actions::snapshot, by_query::passivate,
        by_query::snapshot, jobs::checkpoint, jobs::compact, jobs::drain, jobs::all,
        jobs::one, jobs::cancel, health::live, health::ready, metrics::scrape, document
    ),
    components(schemas(Problem)),
    modifiers(&Shared),
    security(("token" = []), ("session" = [])),
    tags(
        (name = "overview", description = "The runtime and its store, at a glance"),
        (name = "aggregates", description = "Types, and aggregates in memory"),
        (name = "streams", description = "Events, and the states that they lead to"),
        (name = "actions", description = "What is done to one aggregate, at once"),
        (name = "jobs", description = "What takes longer than a request"),
        (name = "watching", description = "For orchestrators and Prometheus")
    )
)]
struct Api;

/// What is the same for every operation.
struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut Document) {
        if let Some(components) = &mut document.components {
            let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
            let cookie = ApiKeyValue::new("dormouse");
            components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
            components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        }
        for item in document.paths.paths.values_mut() {
            if let Some(get) = &mut item.get {
                add_problems(get);
            }
            if let Some(post) = &mut item.post {
                add_problems(post);
                add_action_header(post);
            }
        }
    }
}

fn add_problems(operation: &mut Operation) {
    for (status, description) in ANY {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
        let problem = ResponseBuilder::new()
            .description(description)
            .content(PROBLEM_JSON, content.build());
        let text = ObjectBuilder::new().schema_type(Type::String);
        let problem = match status {
            405 => problem.header("Allow", HeaderBuilder::new().schema(Some(text)).build()),
            _ => problem,
        };
        let said = &mut operation.responses.responses;
        said.entry(status.to_string())
            .or_insert_with(|| problem.build().into());
    }
}

fn add_action_header(operation: &mut Operation) {
    let one = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["1"]));
    let header = ParameterBuilder::new()
        .name("X-Dormouse-Action")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some("No form, and no script of another site, can send it"))
        .schema(Some(one.build()));
    operation
        .parameters
        .get_or_insert_default()
        .push(header.build().into());
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "overview", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
pub(crate) async fn document(attached: Data<Attached>) -> Json<Document> {
    let mut document = Api::openapi();
    if !attached.base.is_empty() {
        document.servers = Some(vec![Server::new(&attached.base)]);
    }
    Json(document)
}
