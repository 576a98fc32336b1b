//! The three discovery endpoints (RFC 7644 §4): what the server says about itself, and nothing that it does not do.

use std::time::Duration;

use serde_json::{Value, json};

use super::bulk::BulkLimits;
use super::represent::date_time;
use crate::scim::list::ListResponse;
use crate::scim::names;
use crate::scim::schema::{ResourceType, SchemaSet};
use chrono::{DateTime, Utc};

/// Writes the discovery documents of one server under one base URL.
pub(crate) struct Discovery<'a> {
    pub schemas: &'a SchemaSet,
    pub base: &'a str,
    /// The most resources that one page holds.
    pub max_results: usize,
    /// How long a cursor holds.
    pub cursor_timeout: Duration,
    /// The limits of a bulk job.
    pub bulk: BulkLimits,
    /// When the server started: none of these documents changes afterwards.
    pub since: DateTime<Utc>,
}

impl Discovery<'_> {
    /// `/ServiceProviderConfig`, with the pagination of RFC 9865 §4.
    pub(crate) fn service_provider_config(&self) -> Value {
        json!({
            "schemas": [names::SERVICE_PROVIDER_CONFIG],
            "patch": { "supported": true },
            "bulk": {
                "supported": true,
                "maxOperations": self.bulk.max_operations,
                "maxPayloadSize": self.bulk.max_payload_size,
            },
            "filter": { "supported": true, "maxResults": self.max_results },
            "changePassword": { "supported": true },
            "sort": { "supported": true },
            "etag": { "supported": true },
            "pagination": {
                "cursor": true,
                "index": true,
                "defaultPaginationMethod": "index",
                "defaultPageSize": self.max_results,
                "maxPageSize": self.max_results,
                "cursorTimeout": self.cursor_timeout.as_secs().max(1),
            },
            "authenticationSchemes": [{
                "type": "oauthbearertoken",
                "name": "OAuth Bearer Token",
                "description": "A bearer token in the Authorization header",
                "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
                "primary": true,
            }],
            "meta": self.meta("ServiceProviderConfig", "ServiceProviderConfig"),
        })
    }

    /// `/ResourceTypes`.
    pub(crate) fn resource_types(&self) -> Value {
        let types = self.schemas.resource_types.iter().map(|resource_type| {
            self.document(resource_type.to_json(), "ResourceType", "ResourceTypes", id_of(resource_type))
        });
        ListResponse::complete(types.collect()).to_json()
    }

    /// `/ResourceTypes/{id}`.
    pub(crate) fn resource_type(&self, id: &str) -> Option<Value> {
        let resource_type = self.schemas.resource_types.iter().find(|it| id_of(it) == id)?;
        Some(self.document(resource_type.to_json(), "ResourceType", "ResourceTypes", id))
    }

    /// `/Schemas`.
    pub(crate) fn schemas(&self) -> Value {
        let schemas = self
            .schemas
            .schemas
            .iter()
            .map(|schema| self.document(schema.to_json(), "Schema", "Schemas", &schema.id));
        ListResponse::complete(schemas.collect()).to_json()
    }

    /// `/Schemas/{id}`.
    pub(crate) fn schema(&self, id: &str) -> Option<Value> {
        let schema = self.schemas.schema(id)?;
        Some(self.document(schema.to_json(), "Schema", "Schemas", &schema.id))
    }

    fn document(&self, mut body: Value, resource_type: &str, endpoint: &str, id: &str) -> Value {
        if let Some(object) = body.as_object_mut() {
            object.insert("meta".to_owned(), self.meta(resource_type, &format!("{endpoint}/{id}")));
        }
        body
    }

    fn meta(&self, resource_type: &str, path: &str) -> Value {
        json!({
            "resourceType": resource_type,
            "created": date_time(self.since),
            "lastModified": date_time(self.since),
            "location": format!("{}/{path}", self.base),
        })
    }
}

/// What a resource type's address ends in: its id, or where it has none, its name.
fn id_of(resource_type: &ResourceType) -> &str {
    resource_type.id.as_deref().unwrap_or(&resource_type.name)
}
