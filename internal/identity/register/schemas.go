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
		"identity.Proposal": object(map[string]any{
			"reason": schema("string", "Why."), "ticket": schema("string", "Of the bank's process."),
			"objects": listOf(map[string]any{"type": "object"}, "Objects as they are to be: Person, GroupMapping, ApprovalPolicy."), "delete": listOf(object(map[string]any{"kind": word, "name": word}), "What is to be deleted."),
		}),
		"identity.Proposed": object(map[string]any{
			"amendments": listOf(object(map[string]any{"name": word, "digest": word, "changes": listOf(word, "In plain words.")}), "Those that were made: several where one does not hold all."),
			"next":       schema("string", "Who does what now."),
		}),
		"identity.AmendmentView": object(map[string]any{
			"name": word, "author": schema("string", "Who proposes it."), "reason": word, "ticket": word, "created": word, "until": schema("string", "When it runs out."),
			"uid": word, "digest": schema("string", "What is agreed to."), "state": schema("string", "Waiting, Agreed, CarriedOut, Refused, RunOut, Invalid or Moved."), "message": schema("string", "The state in a sentence."),
			"changes": listOf(word, "What changes, in plain words."), "moved": listOf(word, "What is not any more as it was: nothing would be written."), "left": listOf(word, "What was not carried out."),
			"said": listOf(map[string]any{"type": "object"}, "Who said what, and whether it counts."), "may": schema("string", "Yes where you may agree now, else No."), "why": schema("string", "Why not."),
		}),
		"identity.Imported": object(map[string]any{
			"amendments": listOf(word, "What another person agrees to before it is written."), "next": schema("string", "Who does what now."),
			"dryRun": schema("boolean", "Nothing was written."), "created": listOf(word, "Who and what was made."), "updated": listOf(word, "Who and what was changed."),
			"disabled": listOf(word, "Who is kept out from now on."), "unchanged": schema("integer", "How many rows were on the hub as they are."),
		}),
	}
}
