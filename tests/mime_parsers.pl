# Two mail parsers of Perl's, for tests: reads letters (a length in bytes and a line end before each) from standard input, and
# writes what each parser shows of each as a line of JSON.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Email::MIME;
use Encode qw(decode FB_DEFAULT);
use JSON::PP;
use MIME::Parser;
use MIME::WordDecoder;

binmode STDIN;
binmode STDOUT;
my $json = JSON::PP->new->utf8->canonical;
my @HEADERS = qw(From To Subject Date Message-ID);

sub text_of {
    my ($bytes, $charset) = @_;
    my $found = eval { decode($charset || 'us-ascii', $bytes, FB_DEFAULT) };
    return defined $found ? $found : "undecodable: $charset";
}

sub by_email_mime {
    my ($raw) = @_;
    my $mail = Email::MIME->new($raw);
    my (@shown, @files);
    $mail->walk_parts(sub {
        my ($part) = @_;
        return if $part->subparts;
        my $type = lc(($part->content_type || 'text/plain') =~ s/[;\s].*//sr);
        my $name = $part->filename;
        my ($charset) = ($part->content_type || '') =~ /charset="?([^";\s]+)/i;
        if (defined $name) { push @files, [ $name, sha256_hex($part->body) ] }
        else { push @shown, [ $type, text_of($part->body, $charset) ] }
    });
    return { headers => { map { $_ => [ $mail->header_str($_) ] } @HEADERS }, shown => \@shown, files => \@files };
}

sub walk {
    my ($entity, $shown, $files) = @_;
    if (my @parts = $entity->parts) { walk($_, $shown, $files) for @parts; return }
    my $body = $entity->bodyhandle ? $entity->bodyhandle->as_string : '';
    my $name = $entity->head->recommended_filename;
    if (defined $name) { push @$files, [ $name, sha256_hex($body) ] }
    else { push @$shown, [ lc $entity->mime_type, text_of($body, $entity->head->mime_attr('content-type.charset')) ] }
}

sub by_mime_tools {
    my ($raw) = @_;
    my $parser = MIME::Parser->new;
    $parser->output_to_core(1);
    $parser->tmp_to_core(1);
    $parser->decode_headers(0);
    my $entity = $parser->parse_data($raw);
    my (@shown, @files);
    walk($entity, \@shown, \@files);
    my %headers;
    for my $name (@HEADERS) {
        my @values = $entity->head->get_all($name);
        chomp @values;
        $headers{$name} = [ map { my $one = $_; $one =~ s/\r?\n[ \t]*/ /g; $one } @values ];
    }
    return { headers => \%headers, shown => \@shown, files => \@files };
}

while (defined(my $length = <STDIN>)) {
    my $raw;
    read(STDIN, $raw, $length + 0);
    my %found;
    my %by = (email_mime => \&by_email_mime, mime_tools => \&by_mime_tools);
    for my $name (sort keys %by) {
        $found{$name} = eval { $by{$name}->($raw) } || { error => "cannot be read" };
    }
    print $json->encode(\%found), "\n";
}
