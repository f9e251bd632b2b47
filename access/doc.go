// Package access decides every API call of a user or a session: it finds the policies that count for the caller in the rows,
// what the request is about and the condition keys that it has, and asks policy.Decide. Simulations get the same policies.
//
// It must not know how requests travel (wire), who signed them (auth says), or what an operation does: all it knows of one is
// its row in policy's tables and its input struct. Whether a thing that a request names exists is the operation's business;
// what does not exist has an ARN all the same.
package access
