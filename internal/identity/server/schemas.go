// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

func word(description string) map[string]any {
	return map[string]any{"type": "string", "description": description}
}

func moment(description string) map[string]any {
	return map[string]any{"type": "string", "format": "date-time", "description": description}
}

func object(required []any, properties map[string]any) map[string]any {
	schema := map[string]any{"type": "object", "properties": properties}
	if required != nil {
		schema["required"] = required
	}
	return schema
}

func items(of map[string]any) map[string]any {
	return object([]any{"items"}, map[string]any{"items": map[string]any{"type": "array", "items": of}})
}

func words(description string) map[string]any {
	return map[string]any{"type": "array", "description": description, "items": map[string]any{"type": "string"}}
}

// Schemas of what the room's routes take and answer.
func Schemas() map[string]any {
	scope := object(nil, map[string]any{
		"readOnly":   map[string]any{"type": "boolean", "description": "The token changes nothing."},
		"namespaces": words("The namespaces that it is good for. Default: all that its owner may enter."),
	})
	opened := object(nil, map[string]any{
		"id": word("Names the session; opens nothing."), "person": word("The person's id."), "provider": word("How he came in."), "login": word("His name there."),
		"address": word("Where from."), "agent": word("With what."), "purpose": word("console, cli or kubectl."), "parent": word("The session that it hangs on."),
		"created": moment("Since when."), "seen": moment("Last used when."), "expires": moment("It ends at the latest then."),
	})
	token := object(nil, map[string]any{
		"id": word("Names the token; opens nothing."), "person": word("Its owner."), "name": word("The machine."), "scope": scope, "address": word("Made from where."),
		"created": moment("Since when."), "seen": moment("Last used when."), "expires": moment("It ends then."),
	})
	account := object(nil, map[string]any{
		"name": word("To log in with."), "person": word("Whose it is."), "state": word("Invited, Open or Closed."), "secondFactor": word("On or Off."),
		"created": moment("Since when."), "changed": moment("When its password was set."),
	})
	return map[string]any{
		"identity.ProviderList": items(object([]any{"name", "kind"}, map[string]any{
			"name": word("Its name in the API."), "displayName": word("As people read it."), "kind": word("password or oidc."),
		})),
		"identity.Login": object([]any{"login", "password"}, map[string]any{
			"provider": word("Where the password is looked at. Default: local."), "login": word("The name."), "password": word("The password."),
			"code":   word("The code of the second factor, where there is one."),
			"cookie": map[string]any{"type": "boolean", "description": "Keep the session in the browser's cookie and out of the answer."},
		}),
		"identity.LoggedIn": object([]any{"person", "session"}, map[string]any{
			"token": word("The credential. It is shown once."), "csrf": word("What requests carry in X-Fairway-Csrf that come with the cookie."),
			"person": word("The person's id."), "groups": words("The groups that hold now."), "session": opened,
		}),
		"identity.NewPassword": object([]any{"newPassword"}, map[string]any{
			"invitation": word("The invitation, or the two codes of one parted by space, or:"), "login": word("the name,"), "password": word("with the old password"), "code": word("and the code of the second factor."),
			"newPassword": word("12 characters or more."),
		}),
		"identity.OIDCStart":   object(nil, map[string]any{"next": word("The page of this server to go to afterwards. Default: /.")}),
		"identity.OIDCStarted": object([]any{"url"}, map[string]any{"url": word("Where the browser goes.")}),
		"identity.DeviceStarted": object([]any{"handle", "userCode", "url"}, map[string]any{
			"handle": word("To poll with."), "userCode": word("What to type."), "url": word("Where to type it."), "completeURL": word("Both in one."),
			"expires": moment("Until when."), "interval": map[string]any{"type": "integer", "description": "Seconds between two polls."},
		}),
		"identity.DevicePoll":  object([]any{"handle"}, map[string]any{"handle": word("What the login began with.")}),
		"identity.SessionList": items(opened),
		"identity.TokenList":   items(token),
		"identity.NewToken": object([]any{"name", "expires"}, map[string]any{
			"name": word("The machine."), "scope": scope, "expires": moment("When it ends, at most a year from now."),
		}),
		"identity.MadeToken":   object([]any{"token", "metadata"}, map[string]any{"token": word("The credential. It is shown once."), "metadata": token}),
		"identity.AccountList": items(account),
		"identity.NewAccount": object([]any{"name", "person"}, map[string]any{
			"name": word("To log in with."), "person": word("The id of whose it is."), "reason": word("Why. Needed where a second person agrees."), "ticket": word("Of the bank's process."),
		}),
		"identity.Why": object(nil, map[string]any{"reason": word("Why. Needed where a second person agrees."), "ticket": word("Of the bank's process.")}),
		"identity.Invitation": object([]any{"name"}, map[string]any{
			"name": word("The account."), "invitation": word("To the founder: with which its owner sets the password. It is shown once and good once."), "expires": moment("Until when."),
			"amendment": word("To everybody else: what another person agrees to first."), "digest": word("What he agrees to."), "next": word("Who does what now."),
		}),
		"identity.AccountCode": object([]any{"name", "code", "expires"}, map[string]any{
			"name": word("The account."), "code": word("Yours of the two codes with which its owner sets the password. It is shown once."), "expires": moment("Until when."),
		}),
		"identity.Enrolment": object([]any{"secret", "url"}, map[string]any{"secret": word("For the authenticator, base32."), "url": word("The same for a QR code.")}),
		"identity.Code":      object([]any{"code"}, map[string]any{"code": word("Six digits.")}),
	}
}
