// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package register

func schema(kind, description string) map[string]any {
	return map[string]any{"type": kind, "description": description}
}

func listOf(item map[string]any, description string) map[string]any {
	return map[string]any{"type": "array", "items": item, "description": description}
}

func object(properties map[string]any) map[string]any {
	return map[string]any{"type": "object", "properties": properties}
}

// Schemas of what the register's routes answer.
func Schemas() map[string]any {
	word := map[string]any{"type": "string"}
	named := object(map[string]any{"id": schema("string", "The person's id."), "name": schema("string", "His name, for those who may read it.")})
	holder := object(map[string]any{
		"kind": schema("string", "Group, User or ServiceAccount."), "name": schema("string", "Which."), "role": schema("string", "The role that lets it."),
		"binding": schema("string", "What gives the role."), "people": listOf(named, "Those whose Person gives the group and who can come in now."),
	})
	return map[string]any{
		"identity.Answer": object(map[string]any{
			"person": schema("string", "Who is asked about."), "groups": listOf(word, "The groups that were reckoned with."),
			"allowed": schema("boolean", "Whether he may."), "reason": schema("string", "By which role."),
		}),
		"identity.HolderList": object(map[string]any{"items": listOf(holder, "Everybody who may.")}),
		"identity.Policies": object(map[string]any{
			"whole": schema("boolean", "Nothing differs."), "reason": schema("string", "What is wrong and what to do."),
			"since":       map[string]any{"type": "string", "format": "date-time", "description": "Since when it is as it is."},
			"differences": listOf(word, "What differs, one by one."),
		}),
		"identity.Imported": object(map[string]any{
			"dryRun": schema("boolean", "Nothing was written."), "created": listOf(word, "Who and what was made."), "updated": listOf(word, "Who and what was changed."),
			"disabled": listOf(word, "Who is kept out from now on."), "unchanged": schema("integer", "How many rows were on the hub as they are."),
		}),
	}
}
