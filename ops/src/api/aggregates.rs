//! Which types of aggregates there are, and who is in memory.

use actix_web::web::{Data, Json, Query};
use dormouse_runtime::admin::{ResidentOrder, ResidentsWanted, limits};
use serde::Deserialize;
use serde::de::{IntoDeserializer, value};
use utoipa::{IntoParams, ToSchema};

use crate::api::asked;
use crate::api::views::{Residents, Types};
use crate::aside::aside;
use crate::attached::Attached;
use crate::problem::Problem;

/// Who is asked for, of those in memory.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResidentsAsked {
    /// Only of this type.
    #[serde(rename = "type")]
    #[param(min_length = 1, max_length = 64, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]+$")]
    aggregate_type: Option<String>,
    /// Only those whose ids begin so.
    #[serde(default)]
    #[param(required = false, max_length = 512)]
    prefix: String,
    /// Which come first. Default: the hottest.
    #[param(value_type = Order, required = false, inline)]
    order: Option<String>,
    /// How many. Default: 50.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// Which residents come first.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Those that handled the most commands since they were woken.
    #[default]
    Hottest,
    /// Those that take the most bytes.
    Largest,
    /// Those that have been awake for longest.
    Oldest,
    /// By type, then id.
    Id,
}

impl Order {
    fn asked(order: Option<String>) -> Result<Self, Problem> {
        let order = order.map(|order| Self::deserialize(order.into_deserializer()));
        let order: Result<_, value::Error> = order.unwrap_or(Ok(Self::default()));
        order.map_err(|error| Problem::bad("order", error.to_string()))
    }
}

impl From<Order> for ResidentOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Hottest => Self::Hottest,
            Order::Largest => Self::Largest,
            Order::Oldest => Self::Oldest,
            Order::Id => Self::Id,
        }
    }
}

/// The registered aggregate types, by name.
#[utoipa::path(get, path = "/api/v1/types", tag = "aggregates", operation_id = "types",
    responses((status = 200, description = "The registered types", body = Types)))]
pub(crate) async fn types(attached: Data<Attached>) -> Result<Json<Types>, Problem> {
    Ok(Json(Types::of(asked::admin(&attached)?.aggregate_types())))
}

/// Who is in memory: the first of them in the order asked for. Looks at every resident. 404 for a type that is neither
/// registered nor stored.
#[utoipa::path(get, path = "/api/v1/residents", tag = "aggregates", operation_id = "residents", params(ResidentsAsked),
    responses((status = 200, description = "Aggregates in memory", body = Residents)))]
pub(crate) async fn residents(
    attached: Data<Attached>,
    asked: Query<ResidentsAsked>,
) -> Result<Json<Residents>, Problem> {
    let ResidentsAsked {
        aggregate_type,
        prefix,
        order,
        limit,
    } = asked.into_inner();
    let wanted = ResidentsWanted {
        aggregate_type: aggregate_type.map(asked::type_named).transpose()?,
        id_prefix: asked::prefix(prefix)?,
        order: Order::asked(order)?.into(),
        limit: asked::limit(limit.as_deref(), limits::RESIDENTS_MAX)?,
    };
    let admin = asked::admin(&attached)?;
    if let Some(aggregate_type) = &wanted.aggregate_type {
        asked::known_type(&admin, aggregate_type).await?;
    }
    let found = aside(move || admin.residents(&wanted)).await?;
    Ok(Json(Residents::of(&found)))
}
