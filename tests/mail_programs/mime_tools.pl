# What Perl's MIME-tools reads in each file of a folder, as JSON; see views.py for its form.
use strict;
use warnings;
use Encode qw(decode);
use JSON::PP;
use Mail::Address;
use MIME::Base64 qw(encode_base64);
use MIME::Parser;

my %letters;
for my $path (glob "$ARGV[0]/*.eml") {
    my ($name) = $path =~ m{([^/]+)\.eml$};
    $letters{$name} = eval { letter($path) } || { error => "$@" };
}
print JSON::PP->new->ascii->canonical->encode(\%letters);

sub letter {
    my $parser = MIME::Parser->new;
    $parser->output_to_core(1);
    $parser->tmp_to_core(1);
    my $entity = $parser->parse_open(shift);
    my $head = $entity->head;
    $head->unfold;
    my (%headers, %mailboxes);
    for my $name (qw(subject date message-id)) {
        $headers{$name} = [map { chomp; decode('MIME-Header', $_) } $head->get_all($name)];
    }
    for my $name (qw(from to reply-to)) {
        my @found = map { Mail::Address->parse($_) } $head->get_all($name);
        $mailboxes{$name} = [map { [decode('MIME-Header', unquoted($_->phrase)), $_->address] } @found];
    }
    return { headers => \%headers, mailboxes => \%mailboxes, parts => [parts($entity)] };
}

sub unquoted {
    my $phrase = shift;
    return $phrase unless $phrase =~ s/^"(.*)"$/$1/s;
    $phrase =~ s/\\(.)/$1/g;
    return $phrase;
}

sub parts {
    my $entity = shift;
    return map { parts($_) } $entity->parts if $entity->parts;
    my $content = $entity->bodyhandle ? $entity->bodyhandle->as_string : '';
    my $charset = $entity->head->mime_attr('content-type.charset') || 'us-ascii';
    return {
        kind => lc $entity->mime_type,
        filename => decode('MIME-Header', $entity->head->recommended_filename // ''),
        disposition => lc($entity->head->mime_attr('content-disposition') // ''),
        content => encode_base64($content, ''),
        text => eval { decode($charset, $content) } // "(unknown charset)",
    };
}
