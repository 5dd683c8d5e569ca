// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

func textField(description string) map[string]any {
	return map[string]any{"type": "string", "description": description}
}

func objectOf(required []any, properties map[string]any) map[string]any {
	schema := map[string]any{"type": "object", "properties": properties}
	if required != nil {
		schema["required"] = required
	}
	return schema
}

func listOf(items map[string]any) map[string]any {
	return map[string]any{"type": "array", "items": items}
}

// instanceFields describe an instance in a list.
func instanceFields() map[string]any {
	return map[string]any{
		"seat":        textField("The seat, <component>-<number>. It survives release, restart and loss of a host."),
		"namespace":   textField("The hub namespace, <tenant>-<environment>."),
		"application": textField("The application."),
		"component":   textField("The component."),
		"ip":          textField("The address; empty while there is none."),
		"dcn":         textField("The DCN that the instance serves."),
		"dataCenter":  textField("The data centre."),
		"zone":        textField("The network zone."),
		"rack":        textField("The rack of its host."),
		"host":        textField("The host."),
		"cluster":     textField("The cluster."),
		"pool":        textField("The pool that owns the host."),
		"revision":    textField("The Revision that it runs."),
		"state":       textField("Running, NotReady, Starting, Stopping, Lost, or the reason why it does not run."),
		"restarts":    map[string]any{"type": "integer", "description": "How often its container was started again."},
		"createdAt":   map[string]any{"type": "string", "format": "date-time", "description": "When its pod was made."},
		"simulated":   map[string]any{"type": "boolean", "description": "Whether it runs on a simulated host, which runs no containers."},
	}
}

// extraSchemas are the schemas of what is not a kind.
func extraSchemas() map[string]any {
	everyField := []any{"seat", "namespace", "application", "component", "ip", "dcn", "dataCenter", "zone", "rack", "host", "cluster", "pool",
		"revision", "state", "restarts", "createdAt", "simulated"}
	card := instanceFields()
	for name, schema := range map[string]any{
		"message":  textField("Why the state is what it is."),
		"pod":      textField("The pod that sits on the seat."),
		"lastSeen": map[string]any{"type": "string", "format": "date-time", "description": "When its cluster last reported."},
		"note":     textField("What is missing from the card, and why."),
		"image": objectOf([]any{"name", "digest"}, map[string]any{
			"name": textField("The image as asked for."), "digest": textField("The digest of what was pulled."),
		}),
		"ports": listOf(objectOf(nil, map[string]any{
			"name": textField("Its name."), "port": map[string]any{"type": "integer"}, "protocol": textField("TCP or UDP."),
		})),
		"mounts": listOf(objectOf(nil, map[string]any{
			"path": textField("Where."), "volume": textField("Which volume."), "kind": textField("What kind of volume."), "readOnly": map[string]any{"type": "boolean"},
		})),
		"conditions": listOf(map[string]any{"type": "object"}),
		"events": listOf(objectOf(nil, map[string]any{
			"time": map[string]any{"type": "string", "format": "date-time"}, "type": textField("Normal or Warning."),
			"reason": textField("In one word."), "message": textField("In a sentence."), "count": map[string]any{"type": "integer"},
		})),
	} {
		card[name] = schema
	}
	return map[string]any{
		"delivery.Instance":     objectOf(everyField, instanceFields()),
		"delivery.InstanceList": httpapi.ListSchema("delivery.Instance"),
		"delivery.InstanceCard": objectOf(everyField, card),
		"identity.Person": objectOf([]any{"id"}, map[string]any{
			"id": textField("The person id."), "groups": listOf(map[string]any{"type": "string"}),
			"provider": textField("How he came in."), "login": textField("His name there."), "session": textField("The session that asks."),
			"machine": textField("The machine whose token asks; none where the person himself does."), "scope": map[string]any{"type": "object", "description": "What the token is for."},
			"since": textField("Logged in since when."), "expires": textField("Logged in until when at the latest."),
			"lastLogin": map[string]any{"type": "object", "description": "When and from where he logged in before that."},
		}),
		"fleet.Join": objectOf([]any{"kubeconfig", "dataCenter", "environment"}, map[string]any{
			"kubeconfig":  textField("A kubeconfig with its credentials inside: no files, commands or proxies."),
			"dataCenter":  textField("The DataCenter that the cluster stands in."),
			"environment": textField("The Environment that the cluster serves."),
			"storageClasses": listOf(objectOf([]any{"kind", "className"}, map[string]any{
				"kind": textField("Local, Shared or Block."), "className": textField("The cluster's storage class that provides it."),
			})),
		}),
		"release.Resume": objectOf(nil, map[string]any{
			"reason": textField("Why it may go on."), "ticket": textField("Ticket of the change process."),
		}),
		"app.Findings": objectOf([]any{"findings"}, map[string]any{"findings": listOf(objectOf([]any{"severity", "message"}, map[string]any{
			"severity": textField("Error stops a Revision, Warning does not."), "component": textField("The component."),
			"rule": textField("The rule's name."), "message": textField("What to change."),
		}))}),
		"app.Changes": objectOf([]any{"changes"}, map[string]any{
			"against": textField("The Revision compared with; empty where nothing runs."),
			"changes": listOf(objectOf([]any{"path"}, map[string]any{
				"path": textField("The field."), "before": textField("As it runs."), "after": textField("As it would be."),
				"restarts": listOf(map[string]any{"type": "string"}),
			})),
		}),
		"server.KindList": objectOf([]any{"items"}, map[string]any{
			"version": textField("The server's version."),
			"items": listOf(objectOf([]any{"room", "kind", "plural"}, map[string]any{
				"room": textField("The room."), "group": textField("The API group."), "version": textField("The API version."),
				"kind": textField("The kind."), "plural": textField("The word in paths."), "singular": textField("The word on the command line."),
				"shortNames": listOf(map[string]any{"type": "string"}), "namespaced": map[string]any{"type": "boolean"},
				"written": textField("People or Fairway: who makes its objects."),
				"columns": listOf(objectOf([]any{"name", "type", "jsonPath"}, map[string]any{
					"name": textField("The heading."), "type": textField("string, integer, number, boolean or date."),
					"jsonPath": textField("Where the value is."), "priority": map[string]any{"type": "integer"}, "description": textField("What it means."),
				})),
			})),
		}),
	}
}
